"""Personal data in the texts of a dataset: what is certain, and nothing that only may be.

A number in a medical text is most often a dose, a range, a date or the id of a paper. So a number counts if its form or
its check digits leave no doubt, or if the text says what it is.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from curation.checks.finding import Finding, Kind, masked
from curation.checks.mail_addresses import mail_addresses
from curation.checks.phone_numbers import phone_numbers
from curation.checks.record_numbers import record_numbers
from curation.dataset_reader import DatasetRow

Finder = Callable[[str], Iterable[str]]


class PersonalData:
    """Looks at each text of a row. What a row says twice is told once, with the first field."""

    def __init__(self, regions: Sequence[str], names: Finder | None = None) -> None:
        """Args:
        regions: the countries whose phone numbers are known without a leading `+`, as `US`.
        names: finds the names of persons.
        """
        self._finders: list[tuple[Kind, Finder]] = [
            ("e-mail", mail_addresses),
            ("phone number", lambda text: phone_numbers(text, regions)),
            ("record number", record_numbers),
        ]
        if names:
            self._finders.append(("name", names))

    def add(self, row: DatasetRow) -> Iterator[Finding]:
        said = set()
        for name, text in row.texts:
            for kind, find in self._finders:
                for found in find(text):
                    if (kind, found) not in said:
                        said.add((kind, found))
                        yield Finding(kind, (row.id,), name, masked(found))

    def end(self) -> Iterator[Finding]:
        yield from ()
