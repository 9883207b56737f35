"""Zips like those of MeDAL: a large one that is mostly a hole on the disk, and a whole one of many rows."""

import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from pathlib import Path

TRAIN_HEADER = "ABSTRACT_ID,TEXT,LOCATION,LABEL"
FULL_HEADER = "TEXT,LOCATION,LABEL"
STARTS_AT = 5 << 30  # beyond what 32 bits can say, so that the zip's directory needs zip64
_DEFLATED, _ZIP64, _VERSION = 8, 0x0001, 45
_MOST = 0xFFFFFFFF


def train_rows(number: int) -> Iterator[str]:
    """Rows of the split `train`: an id, a text, the place of its abbreviation and what it means."""
    for row in range(number):
        yield f'{1000 + row},"the velvet antlers, va {row}",3,velvet antler'


def full_rows(number: int) -> Iterator[str]:
    """Rows of the split `full`, which have no ids and several abbreviations."""
    for row in range(number):
        yield f'"the dhf of va {row}",1|3,dihydrofolate|velvet antler'


def write_whole_zip(path: Path, member: str, header: str, rows: Iterable[str]) -> None:
    """A zip with one CSV file, written row by row."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(member, "w", force_zip64=True) as raw,
        TextIOWrapper(raw, encoding="utf-8") as text,
    ):
        text.write(f"{header}\n")
        text.writelines(f"{row}\n" for row in rows)


def write_sparse_zip(path: Path, member: str, header: str, rows: Iterable[str], size: int) -> None:
    """A zip64 whose one CSV file takes `size` bytes behind a hole of `STARTS_AT`; all behind its rows is a hole too.

    It opens as a whole one does, and takes a few kilobytes of disk. Who reads past the rows finds damaged data.
    """
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress("".join(f"{row}\n" for row in (header, *rows)).encode()) + packer.flush(zlib.Z_SYNC_FLUSH)
    name = member.encode()
    with path.open("wb") as file:
        file.seek(STARTS_AT)
        sizes = struct.pack("<HHQQ", _ZIP64, 16, 4 * size, size)
        fields = (_VERSION, 0, _DEFLATED, 0, 0, 0, _MOST, _MOST, len(name), len(sizes))
        file.write(b"PK\3\4" + struct.pack("<HHHHHIIIHH", *fields) + name + sizes + packed)
        directory = STARTS_AT + size
        file.seek(directory)
        extra = struct.pack("<HHQQQ", _ZIP64, 24, 4 * size, size, STARTS_AT)
        fields = (_VERSION, _VERSION, 0, _DEFLATED, 0, 0, 0, _MOST, _MOST, len(name), len(extra), 0, 0, 0, 0, _MOST)
        file.write(b"PK\1\2" + struct.pack("<HHHHHHIIIHHHHHII", *fields) + name + extra)
        end = file.tell()
        file.write(
            b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, _VERSION, _VERSION, 0, 0, 1, 1, end - directory, directory)
        )
        file.write(b"PK\6\7" + struct.pack("<IQI", 0, end, 1))
        file.write(b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, _MOST, _MOST, 0))
