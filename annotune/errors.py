"""One error tree, split by what the caller does about it.

    AnnotuneError
    ├── ConfigurationError      a setting is missing or wrong: names it
    ├── RequestInvalid          what came through the door is wrong
    │   ├── BodyTooLarge        more than MAX_BODY_MB
    │   ├── TooManyProjects         a project that would be one too many
    │   ├── LabelingInvalid     the labeling config cannot be served
    │   ├── PromptMissing       nothing tells the model what to do
    │   └── PromptTooLong       the prompt does not fit the model's window
    ├── Unauthorized            no or wrong credentials
    ├── NotFound                a project, version or model that is not there
    ├── ModelServerError        the model server did not answer as it should
    │   ├── ModelServerUnreachable
    │   ├── KeyRefused
    │   ├── ModelServerBusy
    │   ├── DeadlineExceeded
    │   └── AnswerRefused       the model answered, but not with what can be used
    │       └── AnswerInvalid   the answer does not fit the labeling config: worth asking once more
    ├── InUse                   another process is at that very work
    ├── StoreUnavailable        Redis did not answer, or keeps nothing new
    ├── StoreEmptied            Redis answers, and has lost all
    ├── RecordUnreadable        one project's record, in Redis or on disk, that this version cannot read
    ├── OrderRefused            a job in a queue that is none of ours
    ├── LabelStudioError        Label Studio did not answer as it should
    │   └── LabelStudioUnreachable
    ├── TrainingRefused         a training that does not start, or a version that is not promoted
    ├── TrainingFailed          a training that broke off
    ├── TrainingCancelled       a training that was stopped, to start anew
    └── Unexpected              a fault of our own: the log has it under the number that is told

A message says what happened, with which value, and what to do; it never holds a secret.
"""


class AnnotuneError(Exception):
    """The root. `status` is the HTTP status at the door."""

    status = 500


class ConfigurationError(AnnotuneError):
    """A setting is missing or wrong; the message names it."""

    status = 503


class RequestInvalid(AnnotuneError):
    """What came through the door is wrong."""

    status = 400


class BodyTooLarge(RequestInvalid):
    """More than MAX_BODY_MB."""

    status = 413


class TooManyProjects(RequestInvalid):
    """A project that would be one too many to be known at once."""


class LabelingInvalid(RequestInvalid):
    """The labeling config cannot be served."""


class PromptMissing(RequestInvalid):
    """Neither a typed prompt, nor a project's prompt, nor a default one."""


class PromptTooLong(RequestInvalid):
    """The prompt does not fit the model's window; never cut silently."""


class Unauthorized(AnnotuneError):
    """No or wrong credentials."""

    status = 401


class NotFound(AnnotuneError):
    """A project, version or model that is not there."""

    status = 404


class ModelServerError(AnnotuneError):
    """The model server did not answer as it should."""

    status = 503


class ModelServerUnreachable(ModelServerError):
    """No connection, or one that broke."""


class KeyRefused(ModelServerError):
    """The server does not take our key."""


class ModelServerBusy(ModelServerError):
    """The server, or our own limit for it, is full; the only error that is tried again."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeadlineExceeded(ModelServerError):
    """The answer did not come in time."""


class AnswerRefused(ModelServerError):
    """The model answered, but not with what can be used."""


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


class OrderRefused(AnnotuneError):
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
