"""Datasets of the Hugging Face Hub, streamed: no more is read than the rows that are taken."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from annotune.errors import NotFound
from curation.sources.hub_errors import hub_errors
from curation.sources.row import SourceRow
from curation.sources.source import RowSource

TRAIN = "train"
# Names by which `datasets` reads files, and not a dataset of the Hub.
FORMATS = frozenset({"arrow", "csv", "json", "pandas", "parquet", "sql", "text", "xml"})


def hub_dataset(name: str, config: str | None = None, split: str | None = None) -> RowSource:
    """A dataset of the Hub, or of the server that HF_ENDPOINT names.

    Args:
        name: such as `ngram/medchat-qa`.
        config: its configuration, where it has several.
        split: None: `train`, or the only one.

    Raises:
        NotFound: there is no such dataset, configuration or split; the message names those that are there.
        Unauthorized: it is gated or private.
        RequestInvalid: it is a loading script, or has no rows that can be read.
        SourceUnreachable: the Hub does not answer.
    """
    if name in FORMATS:
        raise NotFound(f"the Hugging Face Hub has no dataset {name}: write a name like 'ngram/medchat-qa', or a file")
    with hub_errors(name):
        splits = _open(name, config)
        chosen = split_of(name, list(splits), split)
        total = _total(splits[chosen])
    return RowSource(name=name, rows=partial(_rows, name, config, chosen), total=total)


def split_of(name: str, splits: Sequence[str], split: str | None) -> str:
    """The split that is meant. Raises NotFound where there is none of that name, or `train` is missing among several."""
    if split in splits:
        return str(split)
    if split is None and TRAIN in splits:
        return TRAIN
    if split is None and len(splits) == 1:
        return splits[0]
    missing = f"no split {split!r}" if split else f"no split {TRAIN!r}"
    raise NotFound(f"the dataset {name} has {missing}: choose one of {', '.join(splits)} with --split")


def _open(name: str, config: str | None) -> Any:
    """All splits of a dataset, by their names."""
    import datasets  # noqa: PLC0415 - it takes seconds and 170 MB

    configs = None
    try:
        return datasets.load_dataset(name, config, streaming=True)
    except ValueError as error:
        if "onfig" not in str(error):
            raise
        configs = datasets.get_dataset_config_names(name)
    missing = f"has no configuration {config!r}" if config else "has several configurations"
    raise NotFound(f"the dataset {name} {missing}: write one of {', '.join(f'{name}:{each}' for each in configs[:20])}")


def _total(split: Any) -> int | None:
    """The number of rows, where the dataset's card tells it."""
    known = (split.info.splits or {}).get(split.split)
    return int(known.num_examples) if known and known.num_examples else None


def _rows(name: str, config: str | None, split: str) -> Iterator[SourceRow]:
    with hub_errors(name):
        stream = _open(name, config)[split]
        if stream.features and any(_is_medium(feature) for feature in stream.features.values()):
            stream = stream.decode(False)
        for number, row in enumerate(stream, 1):
            yield SourceRow.of(number, row)


def _is_medium(feature: object) -> bool:
    """Whether values become pictures, sounds or films, which no task can hold."""
    return type(feature).__name__ in {"Image", "Audio", "Video", "Pdf"}
