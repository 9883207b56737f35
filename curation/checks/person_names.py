"""Names of persons in a text, as a model of spaCy guesses. spaCy is an extra, and the model is the user's."""

from collections.abc import Iterable
from typing import Any

from annotune.errors import ConfigurationError, RequestInvalid
from curation.checks.personal_data import Finder

_LABELS = frozenset({"PERSON", "PER"})


def person_names(model: str) -> Finder:
    """What finds names by the model, which is an installed package or a folder.

    Raises:
        ConfigurationError: spaCy is not installed.
        RequestInvalid: there is no such model, or it does not know persons.
    """
    try:
        import spacy  # noqa: PLC0415 - an extra, and seconds to load
    except ImportError as error:
        raise ConfigurationError(
            "names are looked for by spaCy, which is not installed: run pip install 'annotune[names]'"
        ) from error
    try:
        pipeline: Any = spacy.load(model)
    except (OSError, ValueError, ImportError) as error:
        raise RequestInvalid(
            f"spaCy has no model {model!r}: install it as a package, or name the folder that holds it"
        ) from error
    labels = {label for labels in pipeline.pipe_labels.values() for label in labels}
    if not _LABELS & labels:
        raise RequestInvalid(f"the model {model!r} does not tell persons: name one that finds entities")

    def find(text: str) -> Iterable[str]:
        return (entity.text for entity in pipeline(text[: pipeline.max_length]).ents if entity.label_ in _LABELS)

    return find
