"""E-mail addresses in a text."""

import re
from collections.abc import Iterator

_ADDRESS = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@((?:[\w-]{1,63}\.)+[a-z]{2,24})(?![\w-])", re.IGNORECASE)
# Reserved for documentation (RFC 2606): nobody's.
_NOBODYS = re.compile(r"(?:^|\.)(?:example\.(?:com|net|org)|example|invalid|test|localhost)$", re.IGNORECASE)


def mail_addresses(text: str) -> Iterator[str]:
    """The e-mail addresses in a text, but those at `example.com` and its like."""
    if "@" in text:
        yield from (found[0] for found in _ADDRESS.finditer(text) if not _NOBODYS.search(found[1]))
