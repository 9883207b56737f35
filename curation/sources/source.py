"""A source by its name: a file, a folder, a dataset of the Hugging Face Hub, or `medal`."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from annotune.errors import NotFound, RequestInvalid
from curation.sources.row import SourceRow

PATH_STARTS = ("/", "./", "../", "~")
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?(:[\w.-]+)?", re.ASCII)


@dataclass(frozen=True)
class RowSource:
    """What rows are read from.

    `rows` begins at the first row each time it is called, and reads no further than its rows are taken. `key` is the column
    that tells rows apart, or empty: then a row is what it says. `total` is the number of rows where that is known.
    """

    name: str
    rows: Callable[[], Iterator[SourceRow]]
    key: str = ""
    total: int | None = None


def open_source(name: str, split: str | None = None) -> RowSource:
    """A source by its name.

    What is there as a file or a folder is one; `medal` is MeDAL; any other name without a file's ending is a dataset of the
    Hub, with its configuration after a colon if it has several.

    Args:
        name: as a person writes it.
        split: of a dataset. None: `train`, or the only one.

    Raises:
        NotFound: there is no such file, dataset or split; the message names those that are there.
        RequestInvalid: it cannot be read as rows.
        SourceUnreachable: the Hub does not answer.
    """
    from curation.sources import files, hub, medal  # noqa: PLC0415 - they use this module's types

    path = Path(name).expanduser()
    if name == medal.NAME:
        return medal.medal(split)
    if "://" not in name and (name.startswith(PATH_STARTS) or path.exists() or files.is_file_name(name)):
        if split is not None:
            raise RequestInvalid(f"{name} is a file, which has no splits: leave --split out")
        if not path.exists():
            raise NotFound(f"there is no file or folder {name}: check the path, which is seen from {Path.cwd()}")
        return files.open_path(path, name)
    if not _HUB_NAME.fullmatch(name):
        raise RequestInvalid(
            f"{name!r} is neither a file nor the name of a dataset: download it, or write a name like 'ngram/medchat-qa'"
        )
    dataset, _, config = name.partition(":")
    return hub.hub_dataset(dataset, config or None, split)
