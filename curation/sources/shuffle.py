"""Rows in another order, in flat memory: each comes from a buffer of the next ones, not from the whole source."""

import random
from collections.abc import Iterable, Iterator

from curation.sources.row import SourceRow

BUFFER_ROWS = 10_000
BUFFER_CHARACTERS = 50_000_000


def shuffled(rows: Iterable[SourceRow], seed: int, buffer_rows: int = BUFFER_ROWS) -> Iterator[SourceRow]:
    """Rows in an order that the seed decides: the same seed gives the same order.

    The buffer holds `buffer_rows`, or fewer if their texts are longer than `BUFFER_CHARACTERS` together.
    """
    choose = random.Random(seed)  # noqa: S311 - an order, not a secret
    buffer: list[tuple[int, SourceRow]] = []
    held = 0
    for row in rows:
        length = sum(len(value) for value in row.data.values() if isinstance(value, str))
        buffer.append((length, row))
        held += length
        while len(buffer) > buffer_rows or (held > BUFFER_CHARACTERS and len(buffer) > 1):
            place = choose.randrange(len(buffer))
            buffer[place], buffer[-1] = buffer[-1], buffer[place]
            length, taken = buffer.pop()
            held -= length
            yield taken
    choose.shuffle(buffer)
    yield from (row for _, row in buffer)
