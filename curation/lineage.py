"""Where the data of a transferred task says what it was made from.

A task that a command makes from other tasks carries these fields in its data. So Label Studio itself tells what was moved
already, and which source text a question is about.

The text's field is not named `source`: Label Studio's page (1.23.2) shows the whole task as JSON where a config asks for a
field of that name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from annotune.split import text_sha

SOURCE = "source_text"
ABSTRACT_ID = "abstract_id"
SOURCE_PROJECT = "source_project"
SOURCE_TASK = "source_task"
SOURCE_ANNOTATION = "source_annotation"


@dataclass(frozen=True)
class Lineage:
    """What a task was made from. `source` is the text that its question is about, `abstract_id` that text's own id."""

    source: str = ""
    abstract_id: str = ""
    project: int | None = None
    task: int | None = None
    annotation: int | None = None

    @classmethod
    def of(cls, data: Mapping[str, object]) -> Self:
        """Read a task's data, whoever wrote it: a field of another type counts as missing."""
        source, abstract = data.get(SOURCE), data.get(ABSTRACT_ID)
        is_id = isinstance(abstract, str | int) and not isinstance(abstract, bool)
        return cls(
            source=source if isinstance(source, str) else "",
            abstract_id=str(abstract) if is_id else "",
            project=_number(data.get(SOURCE_PROJECT)),
            task=_number(data.get(SOURCE_TASK)),
            annotation=_number(data.get(SOURCE_ANNOTATION)),
        )

    def group_sha(self, own: str) -> str:
        """The sha of what decides on which side of the split a task is: its source text, else that text's id, else what is
        labelled, whose sha is `own`.
        """
        if self.source.strip():
            return text_sha(self.source)
        return text_sha(f"abstract id {self.abstract_id}") if self.abstract_id else own

    def as_data(self) -> dict[str, object]:
        """The fields of a task's data; those that are unknown are left out, except the source text."""
        known = {
            ABSTRACT_ID: self.abstract_id or None,
            SOURCE_PROJECT: self.project,
            SOURCE_TASK: self.task,
            SOURCE_ANNOTATION: self.annotation,
        }
        return {SOURCE: self.source} | {name: value for name, value in known.items() if value is not None}


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
