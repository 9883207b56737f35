"""The errors, in one tree, split by what the caller does about them.

    AnnotuneError
    ├── ConfigurationError      a setting is missing or wrong; the message names it
    ├── RequestInvalid          a request or an argument is wrong
    │   ├── BodyTooLarge        more than MAX_BODY_MB
    │   ├── TooManyProjects     one project more than Redis keeps
    │   ├── LabelingInvalid     the labeling config cannot be served
    │   ├── PromptMissing       there is no prompt
    │   └── PromptTooLong       the prompt does not fit the model's context window
    ├── AddressRefused          nothing can listen at an address
    ├── Unauthorized            no or wrong credentials
    ├── NotFound                a project, version or model does not exist
    ├── ModelServerError        the model server did not answer as it should
    │   ├── ModelServerUnreachable
    │   ├── KeyRefused
    │   ├── ModelServerBusy
    │   ├── DeadlineExceeded
    │   └── AnswerRefused       the model's answer cannot be used
    │       ├── AnswerCut       the token limit ended it
    │       └── AnswerInvalid   it does not fit the labeling config: worth asking once more
    ├── InUse                   another process does this work
    ├── StoreUnavailable        Redis did not answer, or takes no data
    │   └── EditUnknown         and nobody knows whether a person asks or edits
    ├── StoreEmptied            Redis answers, and has lost its data
    ├── RecordUnreadable        this version cannot read a record of one project, in Redis or on disk
    ├── JobRefused              a job in a queue is not one of ours
    ├── LabelStudioError        Label Studio did not answer as it should
    │   ├── LabelStudioRefused
    │   ├── LabelStudioSilent
    │   └── LabelStudioUnreachable
    ├── SourceUnreachable       where a dataset is, such as the Hugging Face Hub, did not answer
    ├── TrainingRefused         a training does not start, or a version is not promoted
    ├── TrainingFailed          a training failed
    ├── TrainingCancelled       a training was stopped; it starts again later
    └── Unexpected              a bug: the log has it under a number

A message says what happened, with which value, and what to do. It is for operators, and never holds a secret. Annotators
read `for_annotators`, which names no host, no model and no setting.
"""

# Label Studio (1.23.2) sends no request if the prompt did not change.
ASK_AGAIN = "To ask again, add a space to the prompt."


class AnnotuneError(Exception):
    """The root. `status` is the HTTP status of the reply, `for_annotators` the text of the status control."""

    status = 500
    for_annotators = f"Something is wrong on the server; your administrator can see what. {ASK_AGAIN}"


class ConfigurationError(AnnotuneError):
    """A setting is missing or wrong; the message names it."""

    status = 503


class AddressRefused(AnnotuneError):
    """Nothing can listen at an address. The message says why."""


class RequestInvalid(AnnotuneError):
    """A request or an argument is wrong."""

    status = 400
    for_annotators = "The model cannot read this task; your administrator can see why."


class BodyTooLarge(RequestInvalid):
    """More than MAX_BODY_MB."""

    status = 413


class TooManyProjects(RequestInvalid):
    """One project more than Redis keeps."""


class LabelingInvalid(RequestInvalid):
    """The labeling config cannot be served."""

    for_annotators = "The model cannot fill this page; your administrator can see why."


class PromptMissing(RequestInvalid):
    """There is no prompt: none was typed, the project has none, and there is no default one."""


class PromptTooLong(RequestInvalid):
    """The prompt does not fit the model's context window. It is never cut."""

    for_annotators = "The prompt and the task are too long for the model together. Shorten the prompt."


class Unauthorized(AnnotuneError):
    """No or wrong credentials."""

    status = 401


class NotFound(AnnotuneError):
    """A project, version or model does not exist."""

    status = 404


class ModelServerError(AnnotuneError):
    """The model server did not answer as it should."""

    status = 503
    for_annotators = (
        "The model is not answering at the moment; your administrator can see why. Change the prompt or try again later."
        f" {ASK_AGAIN}"
    )


class ModelServerUnreachable(ModelServerError):
    """There is no connection, or it broke."""


class KeyRefused(ModelServerError):
    """The server refuses our key."""


class ModelServerBusy(ModelServerError):
    """The server is busy, or our own limit for it is reached. No other error is retried."""

    for_annotators = f"The model has too much to do at the moment. Try again in a minute. {ASK_AGAIN}"

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeadlineExceeded(ModelServerError):
    """The answer did not come in time."""

    for_annotators = f"The model took too long. Ask for less, or try again later. {ASK_AGAIN}"


class AnswerRefused(ModelServerError):
    """The model's answer cannot be used."""

    for_annotators = f"The model gave no answer that fits here. Change the prompt, or try again. {ASK_AGAIN}"


class AnswerCut(AnswerRefused):
    """The token limit ended the answer early."""

    for_annotators = "The answer was too long and was cut off. Ask for a shorter one."


class AnswerInvalid(AnswerRefused):
    """The answer does not fit the labeling config.

    The message is for the model and may quote it or the task. `summary` is for people and logs and quotes neither.
    """

    def __init__(self, message: str, summary: str | None = None) -> None:
        super().__init__(message)
        self.summary = message if summary is None else summary


class InUse(AnnotuneError):
    """Another process does this work. The message says which."""

    status = 409


class StoreUnavailable(AnnotuneError):
    """Redis did not answer, or takes no data."""

    status = 503


class EditUnknown(StoreUnavailable):
    """Nobody knows whether a person asks or edits an answer: the log of answers may be incomplete. `why` is the reason."""

    for_annotators = (
        f"Nobody can tell at the moment whether you changed an answer or asked again: all stays. {ASK_AGAIN}"
    )

    def __init__(self, why: str) -> None:
        super().__init__(
            f"{why}: nobody knows whether a person asks or edits an answer. Everything on the screen stays: ask again later,"
            " or empty the fields for an answer at once"
        )


class StoreEmptied(AnnotuneError):
    """Redis answers, and has lost its data."""

    status = 503

    def __init__(self) -> None:
        super().__init__(
            "Redis was emptied, and nobody knows which model answers here: a worker restores it within seconds; start"
            " 'annotune worker', or restart this backend to go on without the lost data"
        )


class RecordUnreadable(AnnotuneError):
    """A record in Redis or on disk that this version cannot read. `where` names the key or the file.

    Only one project is affected.
    """

    status = 503

    def __init__(self, where: str) -> None:
        super().__init__(
            f"{where} cannot be read: another version or a person wrote it; run that version, or remove the record"
            " ('annotune models rebuild' restores models and prompts)"
        )


class JobRefused(AnnotuneError):
    """A job in a queue is not one of ours. The message says why, and quotes nothing of it."""


class LabelStudioError(AnnotuneError):
    """Label Studio did not answer as it should."""

    status = 503


class LabelStudioRefused(LabelStudioError):
    """It takes nothing of what was sent: something in it does not fit. The message says what."""


class LabelStudioSilent(LabelStudioError):
    """No answer came in time, or a proxy says that it is away. It may still do what it was asked."""


class LabelStudioUnreachable(LabelStudioError):
    """There is no connection, or it broke."""


class SourceUnreachable(AnnotuneError):
    """Where a dataset is, such as the Hugging Face Hub, did not answer. The message says what to do."""

    status = 503


class TrainingRefused(AnnotuneError):
    """A training does not start, or a version is not promoted. The message is the reason."""

    status = 409


class TrainingFailed(AnnotuneError):
    """A training failed. The message is the reason."""


class TrainingCancelled(AnnotuneError):
    """A training was stopped from outside. It has no result, and starts again later."""


class Unexpected(AnnotuneError):
    """A bug. The message has the number under which the log has the traceback, and nothing else of the error."""

    def __init__(self, number: str) -> None:
        super().__init__(f"an unexpected error: see the log under {number}")
        self.for_annotators = (
            f"Something went wrong; your administrator finds it in the log under {number}. {ASK_AGAIN}"
        )
