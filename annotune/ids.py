"""Lists of ids as people write them: `1,5,10-20`."""

import re
from collections.abc import Iterable, Sequence

from annotune.errors import RequestInvalid

MAX_ID = 2**31 - 1  # the largest id of a task in Label Studio
ALL = (range(1, MAX_ID + 1),)
_PART = re.compile(r"(\d{1,10})(?:\s*-\s*(\d{1,10}))?", re.ASCII)
_BETWEEN = re.compile(r"[,;\s]+")
_DASH = re.compile(r"\s*-\s*")


def parse_ranges(text: str) -> tuple[range, ...]:
    """Parse ids and ranges (both ends included), separated by commas, blanks or lines. `#` begins a comment.

    Returns:
        The ranges in order; no two of them touch.

    Raises:
        RequestInvalid: a part is neither an id nor a range, or there is none.
    """
    bare = " ".join(line.partition("#")[0] for line in text.splitlines())
    parts = [part for part in _BETWEEN.split(_DASH.sub("-", bare)) if part]
    if not parts:
        raise RequestInvalid("no task ids are given: write them like '1,5,10-20'")
    return _joined(_range(part) for part in parts)


def ranges_of(ids: Iterable[int | range]) -> tuple[range, ...]:
    """Ids and ranges of ids as ranges, in order; no two of them touch.

    Raises:
        RequestInvalid: there are none, or one is no id of a task.
    """
    parts = [each if isinstance(each, range) else range(each, each + 1) for each in ids]
    whole = [part for each in parts for part in ([each] if each.step == 1 else [range(n, n + 1) for n in each]) if part]
    if not whole:
        raise RequestInvalid("no task ids are given: give some, or None for all tasks")
    for part in whole:
        if part.start < 1 or part.stop > MAX_ID + 1:
            raise RequestInvalid(f"{part.start} to {part.stop - 1} are no ids of tasks: those are 1 to {MAX_ID}")
    return _joined(whole)


def _range(part: str) -> range:
    match = _PART.fullmatch(part)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= first <= last <= MAX_ID:
        raise RequestInvalid(f"{part!r} is neither an id nor a range of ids: write '5' or '10-20'")
    return range(first, last + 1)


def _joined(ranges: Iterable[range]) -> tuple[range, ...]:
    joined: list[range] = []
    for ids in sorted(ranges, key=lambda ids: ids.start):
        if joined and ids.start <= joined[-1].stop:
            joined[-1] = range(joined[-1].start, max(joined[-1].stop, ids.stop))
        else:
            joined.append(ids)
    return tuple(joined)


def ranges_after(ranges: Sequence[range], id_: int) -> tuple[range, ...]:
    """The parts of the ranges above an id."""
    left = (range(max(ids.start, id_ + 1), ids.stop) for ids in ranges)
    return tuple(ids for ids in left if ids)
