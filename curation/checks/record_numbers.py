"""Numbers of persons and of their records: those that the text calls so, and those whose form leaves no doubt."""

import re
from collections.abc import Iterator

_LINK = r"\s{0,3}(?:is\b|was\b|[:#=.\-]){0,2}\s{0,3}"
_LABELLED = re.compile(
    r"\b(?:MRN|(?:medical|health|hospital|patient)\s(?:record\s)?(?:numbers?|no\b\.?|id\b|#)|patient\sidentifier)"
    rf"{_LINK}([A-Z]{{0,3}}-?\d(?:[-\s]?\d){{4,13}})(?![\w-])",
    re.IGNORECASE,
)
_BIRTH = re.compile(
    rf"\b(?:DOB|date\sof\sbirth){_LINK}(\d{{1,4}}[./-]\d{{1,2}}[./-]\d{{2,4}}|\d{{1,2}}\s\w{{3,9}}\s\d{{4}}"
    r"|[A-Z][a-z]{2,8}\s\d{1,2},?\s\d{4})",
    re.IGNORECASE,
)
_NHS = re.compile(rf"\bNHS\s(?:numbers?|no\b\.?){_LINK}(\d{{3}}[ -]?\d{{3}}[ -]?\d{{4}})(?!\d)", re.IGNORECASE)
# Social security numbers of the United States: three, two and four digits, without the numbers that are never given.
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
_IBAN = re.compile(r"\b([A-Z]{2})\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
# Characters of an IBAN, by country (ISO 13616).
_IBAN_LENGTHS = {
    "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20, "ES": 24, "FI": 18,
    "FR": 27, "GB": 22, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IS": 26, "IT": 27, "LI": 21, "LT": 20, "LU": 20,
    "LV": 21, "MC": 27, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24, "SE": 24, "SI": 19, "SK": 24,
}  # fmt: skip
_NHS_DIGITS, _NHS_MODULUS, _IBAN_MODULUS = 10, 11, 97


def record_numbers(text: str) -> Iterator[str]:
    """The numbers in a text, and dates that the text calls a date of birth."""
    for pattern in (_LABELLED, _BIRTH):
        yield from (found[1] for found in pattern.finditer(text))
    yield from (found[1] for found in _NHS.finditer(text) if _is_nhs_number(found[1]))
    yield from (found[0] for found in _SSN.finditer(text))
    yield from (found[0] for found in _IBAN.finditer(text) if _is_iban(found[0], found[1]))


def _is_nhs_number(text: str) -> bool:
    """Whether the check digit of a number of the British health service is right."""
    digits = [int(each) for each in text if each.isdecimal()]
    total = sum(digit * (_NHS_DIGITS - place) for place, digit in enumerate(digits[:-1]))
    return -total % _NHS_MODULUS == digits[-1]


def _is_iban(text: str, country: str) -> bool:
    number = text.replace(" ", "")
    if len(number) != _IBAN_LENGTHS.get(country):
        return False
    return int("".join(str(int(each, 36)) for each in number[4:] + number[:4])) % _IBAN_MODULUS == 1
