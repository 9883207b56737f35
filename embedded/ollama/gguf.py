"""The header of a GGUF file: its metadata and its tensors' names, types and shapes.

The layout is llama.cpp's (ggml/docs/gguf.md): magic, version, two counts, key/value pairs, tensor infos, aligned data.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MAGIC = b"GGUF"
OLDEST_VERSION = 2  # version 1 counted with 32 bits

# gguf.md, gguf_metadata_value_type: number -> struct format of a plain value
PLAIN = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9

# llama.h, enum llama_ftype
FILE_TYPES = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    32: "BF16",
}
# ggml.h, enum ggml_type
TENSOR_TYPES = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    6: "Q5_0",
    7: "Q5_1",
    8: "Q8_0",
    9: "Q8_1",
    10: "Q2_K",
    11: "Q3_K",
    12: "Q4_K",
    13: "Q5_K",
    14: "Q6_K",
    15: "Q8_K",
    30: "BF16",
}

Value = int | float | bool | str | None


class NotGguf(ValueError):
    """The file does not start as a GGUF does."""


class BrokenGguf(ValueError):
    """The file starts as a GGUF, but its header cannot be read, or its tensors lie beyond its end."""


@dataclass(frozen=True)
class Tensor:
    """A tensor's name, type and shape."""

    name: str
    type: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        count = 1
        for length in self.shape:
            count *= length
        return count


@dataclass(frozen=True)
class Header:
    """The header. `metadata` has None for each array, such as the vocabulary, because none is needed."""

    metadata: dict[str, Value]
    tensors: tuple[Tensor, ...]

    @property
    def architecture(self) -> str:
        return self.text("general.architecture")

    @property
    def file_type(self) -> str:
        return FILE_TYPES.get(self.number("general.file_type"), "unknown")

    @property
    def parameters(self) -> int:
        return sum(tensor.elements for tensor in self.tensors)

    @property
    def context_length(self) -> int:
        return self.number(f"{self.architecture}.context_length")

    @property
    def embedding_length(self) -> int:
        return self.number(f"{self.architecture}.embedding_length")

    @property
    def chat_template(self) -> str:
        return self.text("tokenizer.chat_template")

    def text(self, key: str) -> str:
        value = self.metadata.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int:
        value = self.metadata.get(key)
        return int(value) if isinstance(value, int | float) else 0


def is_gguf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read_header(path: Path) -> Header:
    """The header of a file.

    Raises:
        NotGguf: the file is no GGUF.
        BrokenGguf: the header cannot be read, or the file is cut off.
    """
    if not is_gguf(path):
        raise NotGguf(f"{path} is no GGUF file")
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            header, last_offset = HeaderReader(file, size).header()
        except (struct.error, UnicodeDecodeError, KeyError, MemoryError, OverflowError) as error:
            raise BrokenGguf(f"{path}: {error!r} at byte {file.tell()}") from error
        if file.tell() + last_offset >= size:
            raise BrokenGguf(f"{path} ends at byte {size}, before its last tensor")
    return header


def shortest_float32(value: float) -> float:
    """The number with the fewest digits that is the same as 32-bit float: 1e-05, not 9.999999747378752e-06."""
    single = struct.Struct("<f")
    texts = (f"{value:.{digits}g}" for digits in range(1, 10))
    return next((float(text) for text in texts if single.pack(float(text)) == single.pack(value)), value)


class HeaderReader:
    """Reads values from a GGUF file. Raises struct.error if they make no sense."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file = file
        self.size = size

    def header(self) -> tuple[Header, int]:
        """The header, and the offset of the last tensor within the data after it; -1 without tensors."""
        self.file.seek(len(MAGIC))
        version, tensors, pairs = self.plain("I"), self.plain("Q"), self.plain("Q")
        if version < OLDEST_VERSION:
            raise struct.error(f"version {version}")
        metadata = {}
        for _ in range(pairs):
            key = self.string()
            metadata[key] = self.value(self.plain("I"))
        infos = [self.tensor() for _ in range(tensors)]
        header = Header(metadata, tuple(tensor for tensor, _ in infos))
        return header, max((offset for _, offset in infos), default=-1)

    def plain(self, code: str) -> int:
        return int(self.number(code))

    def number(self, code: str) -> int | float | bool:
        reader = struct.Struct("<" + code)
        value: int | float | bool = reader.unpack(self.file.read(reader.size))[0]
        return shortest_float32(value) if code == "f" else value

    def length(self) -> int:
        length = self.plain("Q")
        if length > self.size:
            raise struct.error(f"a length of {length}")
        return length

    def string(self) -> str:
        return self.file.read(self.length()).decode()

    def value(self, kind: int) -> Value:
        if kind == STRING:
            return self.string()
        if kind != ARRAY:
            return self.number(PLAIN[kind])
        inner, length = self.plain("I"), self.length()
        if inner in PLAIN:
            self.file.seek(length * struct.calcsize("<" + PLAIN[inner]), 1)
        else:
            for _ in range(length):
                self.value(inner) if inner == ARRAY else self.file.seek(self.length(), 1)
        return None

    def tensor(self) -> tuple[Tensor, int]:
        name = self.string()
        shape = tuple(self.plain("Q") for _ in range(self.plain("I")))
        kind = self.plain("I")
        return Tensor(name, TENSOR_TYPES.get(kind, str(kind)), shape), self.plain("Q")
