"""Rows of Parquet files."""

from collections.abc import Iterator
from pathlib import Path

from annotune.errors import RequestInvalid
from curation.sources.row import SourceRow

ROWS_READ = 200  # at a time


def parquet_rows(path: Path, name: str) -> Iterator[SourceRow]:
    """The rows of a Parquet file.

    Raises:
        RequestInvalid: it is none, is damaged, or has two columns of one name.
    """
    import pyarrow as pa  # noqa: PLC0415 - only this source needs it, and it takes 50 MB
    import pyarrow.parquet as pq  # noqa: PLC0415 - as above

    try:
        with pq.ParquetFile(path) as file:
            columns = file.schema_arrow.names
            doubled = sorted({column for column in columns if columns.count(column) > 1})
            if doubled:
                raise RequestInvalid(f"{name} has two columns named {doubled[0]!r}: rename one of them")
            number = 0
            for batch in file.iter_batches(batch_size=ROWS_READ):
                for row in batch.to_pylist():
                    number += 1
                    yield SourceRow.of(number, row)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RequestInvalid(f"{name} cannot be read as Parquet: {str(error).splitlines()[0]}") from error


def parquet_total(path: Path) -> int | None:
    """The number of its rows; None where it cannot be read."""
    import pyarrow as pa  # noqa: PLC0415 - as above
    import pyarrow.parquet as pq  # noqa: PLC0415 - as above

    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError):
        return None
