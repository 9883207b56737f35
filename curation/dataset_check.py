"""`annotune dataset check`: what in a dataset a person should look at. Nothing is changed."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from annotune.errors import RequestInvalid
from curation.checks.finding import NOTICES, Finding, Kind, RowCheck
from curation.checks.label_count import LabelCount
from curation.checks.near_rows import NearRows
from curation.checks.person_names import person_names
from curation.checks.personal_data import PersonalData
from curation.checks.row_sizes import EmptyTexts, TooLong, placing_source
from curation.checks.same_input import SameInput
from curation.dataset_reader import DatasetReader
from curation.manifest import DatasetManifest
from curation.similarity import WordCount

MOST_FINDINGS = 10_000
"""Findings of one kind that are kept; more are counted."""
OnRows = Callable[[int], None]


@dataclass(frozen=True)
class CheckOptions:
    """What a check looks for.

    Args:
        max_tokens: a row of more is too long. None: lengths are not looked at.
        regions: the countries whose phone numbers are known without a leading `+`.
        names: the model of spaCy that finds names. None: names are not looked for.
    """

    max_tokens: int | None = None
    regions: tuple[str, ...] = ("US",)
    names: str | None = None


@dataclass(frozen=True)
class DatasetCheck:
    """What was found. `counts` has all findings by kind. `notes` are sentences about what was not looked for."""

    manifest: DatasetManifest
    findings: tuple[Finding, ...]
    counts: Mapping[Kind, int]
    notes: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found but similar questions, which are no fault."""
        return not self.counts.keys() - NOTICES


@dataclass
class _Kept:
    counts: Counter[Kind] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def add(self, found: Finding) -> None:
        self.counts[found.kind] += 1
        if self.counts[found.kind] <= MOST_FINDINGS:
            self.findings.append(found)


def check_dataset(folder: Path, options: CheckOptions, on_rows: OnRows | None = None) -> DatasetCheck:
    """Check a dataset. It is read twice, row by row.

    Args:
        folder: the dataset.
        options: what to look for.
        on_rows: called with the number of rows that were checked, after each one.

    Raises:
        RequestInvalid: the folder is no dataset, a line in it is no row, or a region or the model for names is unknown.
        ConfigurationError: names are asked for, and spaCy is not installed.
    """
    check_regions(options.regions)
    reader = DatasetReader(folder)
    names = person_names(options.names) if options.names else None
    words = WordCount()
    for row in reader.rows():
        words.add(row.question)
    checks: list[RowCheck] = [SameInput(), NearRows(words.common), LabelCount(), EmptyTexts(reader.manifest)]
    if options.max_tokens:
        checks.append(TooLong(options.max_tokens))
    checks.append(PersonalData(options.regions, names))
    kept = _Kept()
    for number, row in enumerate(reader.rows(("eval", "train")), start=1):
        for check in checks:
            for found in check.add(row):
                kept.add(found)
        if on_rows:
            on_rows(number)
    for check in checks:
        for found in check.end():
            kept.add(found)
    findings = sorted(kept.findings, key=lambda found: found.kind)
    return DatasetCheck(reader.manifest, tuple(findings), kept.counts, _notes(reader.manifest, options))


def check_regions(regions: tuple[str, ...]) -> None:
    """Raises:
    RequestInvalid: phone numbers of a region are not known.
    """
    from phonenumbers import SUPPORTED_REGIONS  # noqa: PLC0415 - the numbering plans, for this alone

    for region in regions:
        if region not in SUPPORTED_REGIONS:
            raise RequestInvalid(
                f"{region!r} is no region with phone numbers: write two capital letters, such as US or DE"
            )


def _notes(manifest: DatasetManifest, options: CheckOptions) -> tuple[str, ...]:
    notes = []
    if not options.max_tokens:
        notes.append("lengths were not looked at: no recipe is set, and --max-tokens is not given")
    if manifest.open_book and not placing_source(manifest):
        notes.append("empty source texts were not looked for: no prompt in the manifest places the source text")
    if not options.names:
        notes.append("names were not looked for: --names takes a model of spaCy that finds them")
    return tuple(notes)
