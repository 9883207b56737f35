"""Errors of the Hugging Face Hub and its libraries, as ours."""

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from annotune.errors import AnnotuneError, NotFound, RequestInvalid, SourceUnreachable, Unauthorized

TOKEN = "set HF_TOKEN to a token of a user who may read it"  # noqa: S105 - a sentence
DETAIL_CHARACTERS = 200
_UNAUTHORIZED = (401, 403)
_NOT_FOUND = 404


@contextmanager
def hub_errors(name: str) -> Iterator[None]:
    """Turn what goes wrong with the dataset `name` into one sentence.

    Raises:
        NotFound: the Hub has no such dataset, or does not show it to us.
        Unauthorized: it is gated or private, or the token is refused.
        RequestInvalid: it cannot be read as rows.
        SourceUnreachable: the Hub does not answer.
    """
    try:
        yield
    except AnnotuneError:
        raise
    except Exception as error:
        ours = _ours(name, error)
        if ours is None:
            raise
        raise ours from error


def _ours(name: str, error: Exception) -> AnnotuneError | None:  # noqa: PLR0911 - one for each way in which it fails
    import httpx  # noqa: PLC0415 - beside the libraries, whose errors these are
    import httpx2  # noqa: PLC0415 - as above
    from datasets import exceptions  # noqa: PLC0415 - it takes seconds and 170 MB
    from huggingface_hub import errors  # noqa: PLC0415 - as above

    causes = _chain(error)
    status = next((each.response.status_code for each in causes if isinstance(each, errors.HfHubHTTPError)), None)
    if any(isinstance(each, errors.GatedRepoError) for each in causes) or "gated dataset" in str(error):
        page = f"https://huggingface.co/datasets/{name}"
        return Unauthorized(f"the dataset {name} is gated: ask for access on {page}, and {TOKEN}")
    if any(isinstance(each, errors.OfflineModeIsEnabled) for each in causes):
        return SourceUnreachable(f"the dataset {name} is on the Hub, and HF_HUB_OFFLINE forbids to ask it: unset it")
    if any(isinstance(each, errors.RepositoryNotFoundError | exceptions.DatasetNotFoundError) for each in causes):
        return NotFound(f"the Hugging Face Hub shows no dataset {name}: check the name, and if it is private, {TOKEN}")
    if status in _UNAUTHORIZED:
        return Unauthorized(f"the Hugging Face Hub refused the dataset {name} ({status}): {TOKEN}")
    if isinstance(error, exceptions.DataFilesNotFoundError) or "any data files" in str(error):
        return RequestInvalid(
            f"the dataset {name} has no files that can be read as rows: download them, and give a file"
        )
    if "scripts are no longer supported" in str(error):
        return RequestInvalid(
            f"the dataset {name} is a loading script, which nothing runs any more: download its data files from"
            f" https://huggingface.co/datasets/{name}/tree/main, and give one of them"
        )
    lost = any(isinstance(each, errors.LocalEntryNotFoundError) for each in causes)  # it asked, and got no answer
    if not lost and (status == _NOT_FOUND or any(isinstance(each, FileNotFoundError) for each in causes)):
        return NotFound(f"the dataset {name} lacks a file that it names: {_short(error)}")
    away = (httpx.TransportError, httpx2.TransportError, ConnectionError, TimeoutError, errors.HfHubHTTPError)
    if lost or any(isinstance(each, away) for each in causes):
        detail = f"it answered {status}" if status else "no connection"
        return SourceUnreachable(
            f"the Hugging Face Hub did not give the dataset {name} ({detail}): check the network and HF_ENDPOINT, and run"
            " it again"
        )
    if isinstance(error, zipfile.BadZipFile | zlib.error | EOFError):
        return RequestInvalid(f"the dataset {name} has a damaged file: {_short(error)}")
    if isinstance(error, ValueError | RuntimeError | exceptions.DatasetsError | OSError | NotImplementedError):
        return RequestInvalid(f"the dataset {name} cannot be read: {_short(error)}")
    return None


def _chain(error: BaseException) -> list[BaseException]:
    """An error and what caused it."""
    found: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and each not in found:
        found.append(each)
        each = each.__cause__ or each.__context__
    return found


def _short(error: Exception) -> str:
    """The first lines of a message, as one."""
    words = re.sub(r"\s+", " ", str(error)).strip()
    return words if len(words) <= DETAIL_CHARACTERS else f"{words[:DETAIL_CHARACTERS]} ..."
