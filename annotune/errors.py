"""One error tree, split by what the caller does about it.

    AnnotuneError
    ├── ConfigurationError      a setting is missing or wrong: names it
    ├── RequestInvalid          what came through the door is wrong
    │   ├── BodyTooLarge        more than MAX_BODY_MB
    │   ├── TooManyProjects         a project that would be one too many
    │   ├── LabelingInvalid     the labeling config cannot be served
    │   ├── PromptMissing       nothing tells the model what to do
    │   └── PromptTooLong       the prompt does not fit the model's window
    ├── AddressRefused          nothing can listen at an address
    ├── Unauthorized            no or wrong credentials
    ├── NotFound                a project, version or model that is not there
    ├── ModelServerError        the model server did not answer as it should
    │   ├── ModelServerUnreachable
    │   ├── KeyRefused
    │   ├── ModelServerBusy
    │   ├── DeadlineExceeded
    │   └── AnswerRefused       the model answered, but not with what can be used
    │       ├── AnswerCut       the token limit ended it
    │       └── AnswerInvalid   the answer does not fit the labeling config: worth asking once more
    ├── InUse                   another process is at that very work
    ├── StoreUnavailable        Redis did not answer, or keeps nothing new
    │   └── EditUnknown         so that nobody knows whether a person asks or edits
    ├── StoreEmptied            Redis answers, and has lost all
    ├── RecordUnreadable        one project's record, in Redis or on disk, that this version cannot read
    ├── JobRefused            a job in a queue that is none of ours
    ├── LabelStudioError        Label Studio did not answer as it should
    │   └── LabelStudioUnreachable
    ├── TrainingRefused         a training that does not start, or a version that is not promoted
    ├── TrainingFailed          a training that broke off
    ├── TrainingCancelled       a training that was stopped, to start anew
    └── Unexpected              a fault of our own: the log has it under the number that is told

A message says what happened, with which value, and what to do; it never holds a secret. It is for operators. Annotators
read `for_annotators`, which names no host, no model and no setting.
"""

# Label Studio (1.23.2) sends nothing for a prompt that did not change.
ASK_AGAIN = "To ask again, add a space to the prompt."


class AnnotuneError(Exception):
    """The root. `status` is the HTTP status at the door, `for_annotators` what a status control tells."""

    status = 500
    for_annotators = f"Something is wrong on the server; your administrator can see what. {ASK_AGAIN}"


class ConfigurationError(AnnotuneError):
    """A setting is missing or wrong; the message names it."""

    status = 503


class AddressRefused(AnnotuneError):
    """Nothing can listen at an address; the message says why."""


class RequestInvalid(AnnotuneError):
    """What came through the door is wrong."""

    status = 400
    for_annotators = "The model cannot read this task; your administrator can see why."


class BodyTooLarge(RequestInvalid):
    """More than MAX_BODY_MB."""

    status = 413


class TooManyProjects(RequestInvalid):
    """A project that would be one too many to be known at once."""


class LabelingInvalid(RequestInvalid):
    """The labeling config cannot be served."""

    for_annotators = "The model cannot fill this page; your administrator can see why."


class PromptMissing(RequestInvalid):
    """Neither a typed prompt, nor a project's prompt, nor a default one."""


class PromptTooLong(RequestInvalid):
    """The prompt does not fit the model's window; never cut silently."""

    for_annotators = "The prompt and the task are too long for the model together. Shorten the prompt."


class Unauthorized(AnnotuneError):
    """No or wrong credentials."""

    status = 401


class NotFound(AnnotuneError):
    """A project, version or model that is not there."""

    status = 404


class ModelServerError(AnnotuneError):
    """The model server did not answer as it should."""

    status = 503
    for_annotators = (
        "The model is not answering at the moment; your administrator can see why. Change the prompt or try again later."
        f" {ASK_AGAIN}"
    )


class ModelServerUnreachable(ModelServerError):
    """No connection, or one that broke."""


class KeyRefused(ModelServerError):
    """The server does not take our key."""


class ModelServerBusy(ModelServerError):
    """The server, or our own limit for it, is full; the only error that is tried again."""

    for_annotators = f"The model has too much to do at the moment. Try again in a minute. {ASK_AGAIN}"

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeadlineExceeded(ModelServerError):
    """The answer did not come in time."""

    for_annotators = f"The model took too long. Ask for less, or try again later. {ASK_AGAIN}"


class AnswerRefused(ModelServerError):
    """The model answered, but not with what can be used."""

    for_annotators = f"The model gave no answer that fits here. Change the prompt, or try again. {ASK_AGAIN}"


class AnswerCut(AnswerRefused):
    """The token limit ended the answer before it was whole."""

    for_annotators = "The answer was too long and was cut off. Ask for a shorter one."


class AnswerInvalid(AnswerRefused):
    """The answer does not fit the labeling config. The message is for the model, and may quote it or the task's text;
    `told` is for people and logs, and quotes neither.
    """

    def __init__(self, message: str, told: str | None = None) -> None:
        super().__init__(message)
        self.told = message if told is None else told


class InUse(AnnotuneError):
    """Another process is at that very work; the message says which."""

    status = 409


class StoreUnavailable(AnnotuneError):
    """Redis did not answer, or keeps nothing new."""

    status = 503


class EditUnknown(StoreUnavailable):
    """Nobody knows whether a person asks or edits an answer, since the log of answers may lack some; `why` is the reason."""

    for_annotators = (
        f"Nobody can tell at the moment whether you changed an answer or asked again: all stays. {ASK_AGAIN}"
    )

    def __init__(self, why: str) -> None:
        super().__init__(
            f"{why}, so that nobody knows whether a person asks or edits an answer: all on the screen stays; ask again"
            " later, or empty the fields to be answered at once"
        )


class StoreEmptied(AnnotuneError):
    """Redis answers, and has lost what it knew."""

    status = 503

    def __init__(self) -> None:
        super().__init__(
            "Redis was emptied, so that which model answers here is not known: a worker restores it within seconds; start"
            " 'annotune worker', or restart this backend to go on without what was lost"
        )


class RecordUnreadable(AnnotuneError):
    """What this version cannot read, in Redis or on disk: the fault of one project, and of no other.

    `where` names the key or the file.
    """

    status = 503

    def __init__(self, where: str) -> None:
        super().__init__(
            f"{where} cannot be read: another version wrote it, or somebody by hand; let that version run, or remove it"
            " ('annotune models rebuild' restores models and prompts)"
        )


class JobRefused(AnnotuneError):
    """A job in a queue that is none of ours; the message says why, and quotes nothing of it."""


class LabelStudioError(AnnotuneError):
    """Label Studio did not answer as it should."""

    status = 503


class LabelStudioUnreachable(LabelStudioError):
    """No connection, or one that broke."""


class TrainingRefused(AnnotuneError):
    """A training that does not start, or a version that is not promoted; the message is the reason."""

    status = 409


class TrainingFailed(AnnotuneError):
    """A training that broke off; the message is the reason."""


class TrainingCancelled(AnnotuneError):
    """A training that was stopped from outside: it ended in no way, and starts anew."""


class Unexpected(AnnotuneError):
    """A fault of our own. The message holds the number under which the log has the rest, and nothing of the fault itself."""

    def __init__(self, number: str) -> None:
        super().__init__(f"an unexpected error, which the log has under {number}")
        self.for_annotators = (
            f"Something went wrong; your administrator finds it in the log under {number}. {ASK_AGAIN}"
        )
