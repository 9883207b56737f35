"""Files as text: UTF-8 with or without a byte order mark, UTF-16 with one, and packed by gzip."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import IO

from annotune.errors import RequestInvalid

GZIP = ".gz"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@contextmanager
def open_text(path: Path, name: str, newline: str | None = None) -> Iterator[IO[str]]:
    """A file as text. What is not UTF-8 becomes half characters (surrogates), so that one bad row costs no other.

    Raises:
        RequestInvalid: it cannot be read, or what gzip packed is damaged; also while it is read.
    """
    try:
        with _opened(path) as raw:
            encoding = "utf-16" if raw.peek(2)[:2] in UTF16_MARKS else "utf-8-sig"
            errors = "surrogateescape" if encoding == "utf-8-sig" else "surrogatepass"
            with TextIOWrapper(raw, encoding=encoding, errors=errors, newline=newline) as text:
                yield text
    except UnicodeError as error:
        raise RequestInvalid(f"{name} begins like UTF-16 and is none: save it as UTF-8") from error
    except (OSError, EOFError, zlib.error) as error:
        raise RequestInvalid(f"{name} cannot be read: {error}") from error


def _opened(path: Path) -> gzip.GzipFile | BufferedReader:
    if path.suffix.lower() == GZIP:
        return gzip.open(path, "rb")
    return path.open("rb")
