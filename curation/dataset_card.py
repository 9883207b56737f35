"""The card of a dataset: its README.md, whose header tells `datasets.load_dataset` the splits and the columns' types."""

import json
import re
from collections.abc import Mapping

from annotune.split import SplitName
from curation.example import Example, Origin
from curation.manifest import About

CARD = "README.md"
# What the Hugging Face hub takes for an identifier of a licence.
_LICENCE_ID = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")
_WHOLE_NUMBER = (int, int | None)

Row = dict[str, object]


def row_of(example: Example, annotator_name: str | None = None) -> Row:
    """A line of a dataset's file. The annotator's name is in it only if it is given."""
    origin = example.origin.model_dump(mode="json")
    return {
        "id": example.origin.annotation,
        "messages": [message.as_dict() for message in example.messages],
        "question": example.question,
        "answer": example.answer,
        "abstract_id": example.abstract_id,
        "origin": origin if annotator_name is None else origin | {"annotator_name": annotator_name},
    }


def line_of(row: Row) -> str:
    """A row as JSON, with its end of line."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def card(counts: Mapping[SplitName, int], about: About, *, with_names: bool = False) -> str:
    """The text of README.md.

    A split without rows is not declared: `load_dataset` (datasets 4.8 and 5.2) refuses an empty file.
    """
    return f"---\n{_header(counts, about.licence, with_names=with_names)}---\n\n{_page(counts, about)}"


def _header(counts: Mapping[SplitName, int], licence: str, *, with_names: bool) -> str:
    lines = []
    if _LICENCE_ID.fullmatch(licence.lower()):
        lines.append(f"license: {licence.lower()}")
    elif licence:
        lines += ["license: other", f"license_name: {json.dumps(licence)}"]
    lines += ["configs:", "- config_name: default", "  data_files:"]
    for split in (name for name, count in counts.items() if count):
        lines += [f"  - split: {split}", f"    path: {split}.jsonl"]
    lines += ["dataset_info:", "  features:", *_columns(with_names=with_names)]
    return "\n".join(lines) + "\n"


def _columns(*, with_names: bool) -> list[str]:
    """The columns and their types. A type that is told holds where all values are null too."""
    origin = {name: _type(field.annotation) for name, field in Origin.model_fields.items()}
    origin |= {"annotator_name": "string"} if with_names else {}
    return [
        *_typed("id", "int64"),
        "  - name: messages",
        "    list:",
        *(f"  {line}" for name in ("role", "content") for line in _typed(name, "string")),
        *_typed("question", "string"),
        *_typed("answer", "string"),
        *_typed("abstract_id", "string"),
        "  - name: origin",
        "    struct:",
        *(f"  {line}" for name, kind in origin.items() for line in _typed(name, kind)),
    ]


def _typed(name: str, kind: str) -> list[str]:
    return [f"  - name: {name}", f"    dtype: {kind}"]


def _type(annotation: object) -> str:
    return "int64" if annotation in _WHOLE_NUMBER else "string"


def _page(counts: Mapping[SplitName, int], about: About) -> str:
    asked = (
        "The chats hold all that the model was shown, source texts too."
        if about.open_book
        else "The chats ask the question alone, without the text that it was made from."
    )
    rows = "\n".join(f"| `{name}.jsonl` | {count} |" for name, count in counts.items())
    projects = "\n".join(f"- project {each.project}: {_plain(each.title)}" for each in about.projects)
    made_from = f"\nIt was made from these projects of Label Studio:\n\n{projects}\n" if projects else ""
    licence = f"\nLicence: {_plain(about.licence)}\n" if about.licence else ""
    return f"""# Questions and answers

Answers that people typed, accepted or corrected, written by Annotune.

| file | rows |
| --- | --- |
{rows}

The rows of `eval.jsonl` are held out: no question in it is a near-duplicate of one in `train.jsonl`. {asked}

| column | what it is |
| --- | --- |
| `id` | the annotation's number in Label Studio |
| `messages` | the chat that asks |
| `question` | the question, or whatever text was labelled |
| `answer` | the answer that counts |
| `abstract_id` | the id of the text that the question is about, if it has one |
| `origin` | the annotation: its project, task and annotator, the model's draft, and how many characters were changed |

`manifest.json` tells what was left out and why, the prompts, and the models that drafted answers.
{made_from}{licence}"""


def _plain(text: str) -> str:
    """A text on one line that Markdown does not read as markup."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))
