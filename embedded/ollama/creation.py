"""`POST /api/create`: makes a model from a GGUF or from another model, and reports each step."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from embedded.ollama.answers import ApiError, text_field
from embedded.ollama.gguf import BrokenGguf, Header, NotGguf, is_gguf, read_header
from embedded.ollama.names import InvalidName, ModelName
from embedded.ollama.registry import Details, Manifest, Registry, parse_digest

QUANTIZATIONS = ("F32", "F16", "Q4_K_S", "Q4_K_M", "Q8_0")
FULL_PRECISION = {"F16", "BF16", "F32"}
COPY_FAILED = (
    "failed to validate GGUF with llama-quantize without compatibility patches: llama-quantize failed: exit status 1"
)
OWN_TEMPLATE_ONLY = "template error: Go templates are not run here: the GGUF's own Jinja template is always used"

Status = dict[str, Any]


class Creation:
    """One request to create a model.

    The constructor raises ApiError for the errors that Ollama finds before it starts its answer. `statuses` does the work,
    and raises ApiError for all other errors.
    """

    def __init__(self, registry: Registry, body: dict[str, Any]) -> None:
        self.registry = registry
        self.body = body
        try:
            self.name = ModelName.parse(text_field(body, "model", "CreateRequest") or str(body.get("name", "")))
        except InvalidName as error:
            raise ApiError(400, "invalid model name") from error
        self.files: dict[str, str] = body.get("files") or {}
        for path in self.files:
            if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
                raise ApiError(400, "file path must be relative")
        if not self.files and not body.get("from"):
            raise ApiError(400, "neither 'from' or 'files' was specified")
        if not body.get("from") and not any(self._looks_like_gguf(*file) for file in self.files.items()):
            raise ApiError(400, "unknown type")

    def _looks_like_gguf(self, path: str, digest: str) -> bool:
        if path.endswith(".gguf"):
            return True
        blob = self.registry.blob_path(digest)
        return blob.exists() and is_gguf(blob)

    def statuses(self) -> Iterator[Status]:
        """Create the model; yields Ollama's status lines."""
        if len(self.files) > 1 or self.body.get("adapters"):
            raise ApiError(500, "split GGUFs, projectors and adapters are not supported here: merge them first")
        if self.body.get("from"):
            yield from self._from_model(str(self.body["from"]))
        else:
            yield from self._from_file(next(iter(self.files.values())))
        yield {"status": "writing manifest"}
        self.registry.save(self._manifest)
        yield {"status": "success"}

    def _from_file(self, digest_text: str) -> Iterator[Status]:
        yield {"status": "parsing GGUF"}
        digest = parse_digest(digest_text)
        header = self._header(digest)
        self._check_quantize(header)
        yield {"status": "verifying conversion"}
        if self.body.get("template"):
            raise ApiError(400, OWN_TEMPLATE_ONLY)
        yield {"status": f"using existing layer {digest}"}
        size = self.registry.blob_path(digest).stat().st_size
        self._manifest = self._with_extras(Manifest(self.name, digest, size, Details.of(header), {}, "", [], [], ""))
        yield {"status": f"creating new layer sha256:{self._manifest.digest}"}

    def _header(self, digest: str) -> Header:
        blob = self.registry.blob_path(digest)
        if not blob.exists():
            raise ApiError(500, f"open {blob}: no such file or directory")
        try:
            return read_header(blob)
        except NotGguf as error:
            raise ApiError(400, "supplied file was not in GGUF format") from error
        except BrokenGguf as error:
            raise ApiError(500, COPY_FAILED) from error

    def _check_quantize(self, header: Header) -> None:
        quantization = text_field(self.body, "quantize", "CreateRequest").upper()
        if not quantization:
            return
        if quantization not in QUANTIZATIONS:
            known = ", ".join(QUANTIZATIONS)
            raise ApiError(500, f"unsupported quantization type {quantization} - supported types are {known}")
        if header.file_type not in FULL_PRECISION:
            raise ApiError(500, "quantization is only supported for F16, BF16 and F32 models")
        raise ApiError(500, "quantization is not done here: quantize the GGUF before the upload")

    def _from_model(self, source: str) -> Iterator[Status]:
        try:
            known = self.registry.find(ModelName.parse(source))
        except InvalidName as error:
            raise ApiError(400, "invalid model name") from error
        if known is None:
            yield {"status": "pulling manifest"}
            raise ApiError(500, f"pull model manifest: {source!r} is not here, and nothing is pulled from elsewhere")
        if self.body.get("template"):
            raise ApiError(400, OWN_TEMPLATE_ONLY)
        yield {"status": f"using existing layer {known.blob}"}
        self._manifest = self._with_extras(replace(known, name=self.name))
        yield {"status": f"creating new layer sha256:{self._manifest.digest}"}

    def _with_extras(self, manifest: Manifest) -> Manifest:
        """The manifest with the request's fields. `parameters` are merged; they are not checked, as in Ollama."""
        licenses = self.body.get("license") or manifest.license
        return replace(
            manifest,
            parameters={**manifest.parameters, **(self.body.get("parameters") or {})},
            system=text_field(self.body, "system", "CreateRequest") or manifest.system,
            messages=self.body.get("messages") or manifest.messages,
            license=[licenses] if isinstance(licenses, str) else list(licenses),
        )
