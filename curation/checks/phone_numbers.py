"""Phone numbers in a text, by the numbering plans of the library `phonenumbers`."""

import re
from collections.abc import Iterator, Sequence

# Seven digits or more with nothing but the punctuation of phone numbers between them.
_CANDIDATE = re.compile(r"(?:\+\s?)?\(?\d(?:[ \xa0().\-/\u2010-\u2013]{0,3}\d){6,}")
_SAID = re.compile(r"\b(?:phones?|tel|telephones?|call|fax|mobile|cell|hotline|toll.free|tty|tdd)\b", re.IGNORECASE)
_BEFORE = 40  # characters in which the text may say that a phone number follows


def phone_numbers(text: str, regions: Sequence[str]) -> Iterator[str]:
    """The phone numbers in a text.

    Numbers with a leading `+` are those of any country. Those without are numbers of `regions`, and are written as such
    numbers are, or the text says just before that they are phone numbers.
    """
    if not _CANDIDATE.search(text):
        return
    from phonenumbers import Leniency, PhoneNumberMatcher  # noqa: PLC0415 - the numbering plans, for this alone

    found = {match.start: match.raw_string for match in PhoneNumberMatcher(text, None, leniency=Leniency.VALID)}
    for region in regions:
        for match in PhoneNumberMatcher(text, region, leniency=Leniency.VALID):
            if _is_said(text, match.start):
                found.setdefault(match.start, match.raw_string)
        for match in PhoneNumberMatcher(text, region, leniency=Leniency.STRICT_GROUPING):
            if _is_grouped(match.raw_string):
                found.setdefault(match.start, match.raw_string)
    yield from (found[start] for start in sorted(found))


def _is_said(text: str, start: int) -> bool:
    return bool(_SAID.search(text, max(0, start - _BEFORE), start))


def _is_grouped(number: str) -> bool:
    """Whether a number stands in groups. A bare run of digits is rather the id of something."""
    return len(re.findall(r"\d+", number)) > 1
