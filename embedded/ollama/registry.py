"""The models on disk: blobs, named by the SHA-256 of their content, and a JSON manifest for each model name."""

import hashlib
import json
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Self

from embedded.ollama.answers import ApiError, timestamp
from embedded.ollama.gguf import Header, read_header
from embedded.ollama.names import ModelName

DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")
MILLION, BILLION = 10**6, 10**9


@dataclass(frozen=True)
class Details:
    """What Ollama reports about the weights. `parameter_size` is a text such as "134.52M"."""

    family: str
    parameter_size: str
    quantization_level: str
    context_length: int
    embedding_length: int

    @classmethod
    def of(cls, header: Header) -> Self:
        count = header.parameters
        size = f"{count / BILLION:.1f}B" if count >= BILLION else f"{count / MILLION:.2f}M"
        return cls(header.architecture, size, header.file_type, header.context_length, header.embedding_length)

    def brief(self) -> dict[str, Any]:
        """The details in answers of `show` and `ps`."""
        return {
            "parent_model": "",
            "format": "gguf",
            "family": self.family,
            "families": [self.family],
            "parameter_size": self.parameter_size,
            "quantization_level": self.quantization_level,
        }

    def full(self) -> dict[str, Any]:
        """The details in answers of `tags`."""
        lengths = {"context_length": self.context_length, "embedding_length": self.embedding_length}
        return self.brief() | lengths


@dataclass(frozen=True)
class Manifest:
    """A model: a GGUF blob, and the other fields of the request that created it. `modified_at` is by RFC 3339."""

    name: ModelName
    blob: str
    size: int
    details: Details
    parameters: dict[str, Any]
    system: str
    messages: list[dict[str, Any]]
    license: list[str]
    modified_at: str

    @property
    def digest(self) -> str:
        """The SHA-256 of the content. A copy under another name has the same."""
        content = {key: value for key, value in asdict(self).items() if key not in {"name", "modified_at"}}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def parse_digest(text: str) -> str:
    """A digest as `sha256:<64 hex digits>`. A dash is accepted in place of the colon.

    Raises:
        ApiError: 400; the text is no digest.
    """
    found = DIGEST.fullmatch(text)
    if not found:
        raise ApiError(400, "invalid digest format")
    return f"sha256:{found[1]}"


@contextmanager
def replace_atomically(path: Path) -> Iterator[IO[bytes]]:
    """A new file, which replaces `path` at the end of the block. After an error it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as file:
        try:
            yield file
            file.flush()
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


class Registry:
    """The folder of models."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def blob_path(self, digest: str) -> Path:
        """The path of a blob, whether it exists or not.

        Raises:
            ApiError: 400; the text is no digest.
        """
        return self.folder / "blobs" / parse_digest(digest).replace(":", "-")

    async def add_blob(self, digest: str, content: AsyncIterator[bytes]) -> None:
        """Store a blob.

        Raises:
            ApiError: 400; the content has another digest. Nothing is stored then.
        """
        path, actual = self.blob_path(digest), hashlib.sha256()
        with replace_atomically(path) as file:
            async for chunk in content:
                actual.update(chunk)
                file.write(chunk)
            got = f"sha256:{actual.hexdigest()}"
            if got != parse_digest(digest):
                raise ApiError(400, f'digest mismatch, expected "{parse_digest(digest)}", got "{got}"')

    def header(self, manifest: Manifest) -> Header:
        return read_header(self.blob_path(manifest.blob))

    def models(self) -> list[Manifest]:
        """All models, newest first."""
        files = (self.folder / "manifests").glob("*.json")
        return sorted((_read(file) for file in files), key=lambda model: model.modified_at, reverse=True)

    def find(self, name: ModelName) -> Manifest | None:
        file = self._manifest_path(name)
        return _read(file) if file.exists() else None

    def save(self, manifest: Manifest) -> None:
        """Store a model with the current time. Parts of its name are spelt as in the names that exist."""
        name = manifest.name.with_known_spelling([model.name for model in self.models()])
        dated = replace(manifest, name=name, modified_at=timestamp(datetime.now(UTC)))
        with replace_atomically(self._manifest_path(name)) as file:
            file.write(json.dumps(asdict(dated), indent=1).encode())

    def delete(self, name: ModelName) -> bool:
        """Delete a model, and its blob if no other model uses it. False: there is no such model."""
        manifest = self.find(name)
        if manifest is None:
            return False
        self._manifest_path(name).unlink()
        if all(other.blob != manifest.blob for other in self.models()):
            self.blob_path(manifest.blob).unlink(missing_ok=True)
        return True

    def _manifest_path(self, name: ModelName) -> Path:
        # The key has no upper case, so names that differ only in case share a file on any file system.
        return self.folder / "manifests" / (name.key.replace("/", "%") + ".json")


def _read(file: Path) -> Manifest:
    fields = json.loads(file.read_bytes())
    details, name = Details(**fields.pop("details")), ModelName(**fields.pop("name"))
    return Manifest(details=details, name=name, **fields)
