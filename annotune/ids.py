"""Ids as people list them: `1,5,10-20`."""

import re
from collections.abc import Iterable, Sequence

from annotune.errors import RequestInvalid

MAX_ID = 2**31 - 1  # of a task's id in Label Studio
ALL = (range(1, MAX_ID + 1),)
_PART = re.compile(r"(\d{1,10})(?:\s*-\s*(\d{1,10}))?", re.ASCII)
_BETWEEN = re.compile(r"[,;\s]+")
_DASH = re.compile(r"\s*-\s*")


def parse_ranges(text: str) -> tuple[range, ...]:
    """Ids and ranges, both ends included, with commas, blanks or lines between; `#` begins a comment.

    The ranges come in order, none touching another.

    Raises:
        RequestInvalid: a part is neither, or there is none.
    """
    bare = " ".join(line.partition("#")[0] for line in text.splitlines())
    parts = [part for part in _BETWEEN.split(_DASH.sub("-", bare)) if part]
    if not parts:
        raise RequestInvalid("no task ids are given: write them like '1,5,10-20'")
    return _joined(_range(part) for part in parts)


def _range(part: str) -> range:
    match = _PART.fullmatch(part)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= first <= last <= MAX_ID:
        raise RequestInvalid(f"{part!r} is no id and no range of ids: write '5' or '10-20'")
    return range(first, last + 1)


def _joined(ranges: Iterable[range]) -> tuple[range, ...]:
    joined: list[range] = []
    for found in sorted(ranges, key=lambda each: each.start):
        if joined and found.start <= joined[-1].stop:
            joined[-1] = range(joined[-1].start, max(joined[-1].stop, found.stop))
        else:
            joined.append(found)
    return tuple(joined)


def ranges_after(ranges: Sequence[range], id_: int) -> tuple[range, ...]:
    """What of the ranges is greater than an id."""
    left = (range(max(each.start, id_ + 1), each.stop) for each in ranges)
    return tuple(each for each in left if each)
