"""The messages that the status control shows to annotators: short sentences that name no host, model or setting."""

from collections.abc import Sequence

from annotune.errors import ASK_AGAIN, AnnotuneError, AnswerCut
from annotune.labeling.config import Labeling
from annotune.labeling.prediction import Region
from backend.editor import EditorState

REPEATED = "Not marked a second time: {}. To have all marked anew, delete the prompt and write it again."
EARLIER = "The answer below is to an earlier prompt."


def error_sentence(error: AnnotuneError, editor: EditorState) -> str:
    """Why no answer came. Says too if the editor still shows the answer to an earlier prompt."""
    return " ".join([error.for_annotators, *([EARLIER] if editor.has_unedited_answer else [])])


def edited_sentences(editor: EditorState) -> list[str]:
    """The controls that an answer did not change because a person had filled them; empty if there are none."""
    if not editor.edited_controls:
        return []
    names = ", ".join(editor.edited_controls)
    return [f"Kept what you set: {names}. Delete it and ask again to have it replaced. {ASK_AGAIN}"]


def reply_sentences(editor: EditorState, *, cut: bool, unknown: str, repeated: int) -> list[str]:
    """What to say about an answer; empty if there is nothing.

    Args:
        editor: the editor before the answer.
        cut: `max_tokens` ended the answer.
        unknown: a sentence about placeholders that name nothing, or an empty text.
        repeated: the number of spans that were left out because they were given before.
    """
    sentences = [AnswerCut.for_annotators] if cut else []
    sentences += [unknown] if unknown else []
    sentences += [REPEATED.format(repeated)] if repeated else []
    return [*sentences, *edited_sentences(editor)]


def status_regions(labeling: Labeling, editor: EditorState, sentences: Sequence[str]) -> list[Region]:
    """The region of the status control, if the config has one. Without sentences the region clears an old message.

    Label Studio (1.23.2) shows no box for a region without a text, and an empty box for one whose text is empty.
    """
    if labeling.status_control is None or not (sentences or editor.shows_status):
        return []
    return [labeling.text_region(labeling.status_control, [" ".join(sentences)] if sentences else [])]
