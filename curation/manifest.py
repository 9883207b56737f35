"""The manifest of a dataset: what is in it, what was left out and why, and what it was made from."""

from pathlib import Path

from pydantic import Field, ValidationError

from annotune.errors import RequestInvalid
from annotune.split import SplitName
from annotune.values import FrozenModel

MANIFEST = "manifest.json"
FORMAT = 1


class SourceProject(FrozenModel):
    """A project whose annotations are in a dataset. `template` is what it was made from, if that is known."""

    project: int
    title: str
    template: str = ""


class AskedPrompt(FrozenModel):
    """A prompt, and how many rows have it. Text, template and system message are None where only the sha is known."""

    sha: str
    rows: int
    text: str | None = None
    template: str | None = None
    system: str | None = None


class AlikePair(FrozenModel):
    """Two annotations whose questions are alike (see similarity.py); `differs` are the rare words that tell them apart."""

    first: int
    second: int
    similarity: float
    differs: tuple[str, ...] = ()


class About(FrozenModel):
    """What a manifest tells beside the rows.

    - `projects` are those that the annotations are from. `licence` is as it was given.
    - `open_book`: the chats hold what the annotators' prompts showed the model, source texts too. Otherwise they hold the
      question alone.
    - `left_out` counts annotations by reason, and `left_out_annotations` has their ids, without those that nobody can read.
    - `prompts` are those of the chats. `answered` are those that the answers were given to, where others are asked.
    - `models` counts the answers that a model drafted, by its version. `kinds` counts how the answers came to be.
    - `near_held_out`: training rows that were left out (`first`) because they are near a held-out one (`second`).
    - `similar`: pairs that differ in a rare word, so that both stay, for a person to look at; of `similar_pairs`, the first.
    """

    projects: tuple[SourceProject, ...] = ()
    licence: str = ""
    open_book: bool = True
    left_out: dict[str, int] = Field(default_factory=dict)
    left_out_annotations: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    prompts: tuple[AskedPrompt, ...] = ()
    answered: tuple[AskedPrompt, ...] = ()
    models: dict[str, int] = Field(default_factory=dict)
    kinds: dict[str, int] = Field(default_factory=dict)
    near_held_out: tuple[AlikePair, ...] = ()
    similar: tuple[AlikePair, ...] = ()
    similar_pairs: int = 0


class DatasetManifest(About):
    """A dataset's manifest. It is written last.

    `digest` is the hex SHA-256 of the files' rows: equal digests are equal datasets. `counts` and `annotations` tell the
    rows and their annotations' ids by split. `format` is the version of this format.
    """

    format: int = FORMAT
    digest: str
    counts: dict[SplitName, int]
    annotations: dict[SplitName, tuple[int, ...]]


def read_manifest(folder: Path) -> DatasetManifest:
    """The manifest of a dataset's folder.

    Raises:
        RequestInvalid: the folder is no dataset that Annotune wrote.
    """
    path = folder / MANIFEST
    try:
        return DatasetManifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RequestInvalid(
            f"{str(folder)!r} is no dataset of Annotune: it has no {MANIFEST} ({error.strerror or error})"
        ) from error
    except ValidationError as error:
        raise RequestInvalid(f"{str(path)!r} is no manifest of a dataset: build the dataset again") from error
