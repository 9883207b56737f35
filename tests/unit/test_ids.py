"""Ids as people list them."""

from collections.abc import Iterable

import pytest

from annotune.errors import RequestInvalid
from annotune.ids import MAX_ID, parse_ranges, ranges_after, ranges_of


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("7", (range(7, 8),)),
        ("1,5,10-20", (range(1, 2), range(5, 6), range(10, 21))),
        ("20, 10 - 12 ;3", (range(3, 4), range(10, 13), range(20, 21))),
        ("3,1,2,2,2-5", (range(1, 6),)),
        ("1\n2 # the odd one\n\n9-9", (range(1, 3), range(9, 10))),
        (f"1-{MAX_ID}", (range(1, MAX_ID + 1),)),
    ],
)
def test_ids_come_in_order_and_joined(text: str, ranges: tuple[range, ...]) -> None:
    assert parse_ranges(text) == ranges


@pytest.mark.parametrize(
    "text", ["", " , ", "#5", "a", "5-", "-5", "0", "9-3", "1.5", "1-2-3", str(MAX_ID + 1), "٣", "1" * 9999]
)
def test_what_names_no_ids_is_refused(text: str) -> None:
    with pytest.raises(RequestInvalid, match="write"):
        parse_ranges(text)


def test_after_an_id_only_greater_ones_are_left() -> None:
    ranges = (range(1, 4), range(10, 21), range(30, 31))

    assert ranges_after(ranges, 3) == (range(10, 21), range(30, 31))
    assert ranges_after(ranges, 12) == (range(13, 21), range(30, 31))
    assert ranges_after(ranges, 30) == ()


@pytest.mark.parametrize(
    ("ids", "ranges"),
    [
        ([3, 1, 2, 2], (range(1, 4),)),
        (range(5, 8), (range(5, 8),)),
        ([range(5, 8), 7, 8], (range(5, 9),)),
        ([range(1, 6, 2)], (range(1, 2), range(3, 4), range(5, 6))),
    ],
)
def test_numbers_become_ranges_that_do_not_touch(ids: Iterable[int | range], ranges: tuple[range, ...]) -> None:
    assert ranges_of(ids) == ranges


@pytest.mark.parametrize("ids", [[], [range(3, 3)], [0], [MAX_ID + 1]])
def test_numbers_that_name_no_task_are_refused(ids: Iterable[int | range]) -> None:
    with pytest.raises(RequestInvalid):
        ranges_of(ids)
