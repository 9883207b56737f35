"""What the status control tells annotators: in short sentences that name no host, no model and no setting."""

from collections.abc import Sequence

from annotune.errors import ASK_AGAIN, AnnotuneError, AnswerCut
from annotune.labeling.config import Labeling
from annotune.labeling.prediction import Region
from backend.editor import EditorState

REPEATED = "Not marked a second time: {}. To have all marked anew, delete the prompt and write it again."
EARLIER = "The answer below is to an earlier prompt."


def error_sentence(error: AnnotuneError, editor: EditorState) -> str:
    """Why no answer came; and that the one which stands there is none to this prompt."""
    return " ".join([error.for_annotators, *([EARLIER] if editor.has_unedited_answer else [])])


def edited_sentences(editor: EditorState) -> list[str]:
    """What of the screen an answer left alone, if anything."""
    if not editor.edited_controls:
        return []
    names = ", ".join(editor.edited_controls)
    return [f"Kept what you set: {names}. Delete it and ask again to have it replaced. {ASK_AGAIN}"]


def reply_sentences(editor: EditorState, *, cut: bool, unknown: str, repeated: int) -> list[str]:
    """What there is to say of an answer.

    `unknown`: of placeholders that name nothing, a sentence or nothing. `repeated`: so many spans were given before.
    """
    sentences = [AnswerCut.for_annotators] if cut else []
    sentences += [unknown] if unknown else []
    sentences += [REPEATED.format(repeated)] if repeated else []
    return [*sentences, *edited_sentences(editor)]


def status_regions(labeling: Labeling, editor: EditorState, sentences: Sequence[str]) -> list[Region]:
    """The region of the status control, where the config has one: nothing to say clears what stands there.

    Label Studio (1.23.2) shows no box for a region without a text, and an empty box for one whose text is empty.
    """
    if labeling.status_control is None or not (sentences or editor.shows_status):
        return []
    return [labeling.text_region(labeling.status_control, [" ".join(sentences)] if sentences else [])]
