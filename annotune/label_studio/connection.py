"""One connection to Label Studio: its SDK, deadlines, and the one place where the SDK's and httpx's errors become ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from label_studio_sdk import LabelStudio
from label_studio_sdk.core import ApiError, RequestOptions
from pydantic import ValidationError

from annotune.deadline import Deadline
from annotune.errors import (
    LabelStudioError,
    LabelStudioRefused,
    LabelStudioSilent,
    LabelStudioUnreachable,
    NotFound,
    Unauthorized,
)
from annotune.label_studio.refusals import detail_of, explain_refusal
from annotune.network import Network

TIMEOUT_S = 60.0
CALL_S = 600.0
RETRIES = 2
AWAY = (httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT)  # a proxy's words
REFUSED = (httpx.codes.BAD_REQUEST, httpx.codes.REQUEST_ENTITY_TOO_LARGE, httpx.codes.UNPROCESSABLE_ENTITY)


class LabelStudioConnection:
    """The SDK's client of one Label Studio, reached through `call` only. It connects when first used."""

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        timeout_s: float = TIMEOUT_S,
        call_s: float = CALL_S,
        retries: int = RETRIES,
    ) -> None:
        """Take a legacy token or a personal access token; the SDK tells them apart and refreshes the latter.

        A call ends after `timeout_s` of silence, and after `call_s` in all, retries included. The SDK repeats a call
        only where it is given `retrying`: calls that read, and changes that may be made twice.

        Raises:
            Unauthorized: a personal access token that has expired.
        """
        self.url = url.rstrip("/")
        self.retrying = RequestOptions(max_retries=retries)
        self._call_s = call_s
        self._network = Network()
        # Compressed, since a page of tasks may have megabytes.
        self._http = self._network.bind(httpx.Client(timeout=timeout_s, follow_redirects=True), packed=True)
        with self._mapped("the API", ""):
            self._sdk = LabelStudio(  # type: ignore[no-untyped-call]
                # The SDK joins the address of its token refresh to the part of the URL that ends in a slash.
                base_url=f"{self.url}/",
                api_key=api_key,
                timeout=timeout_s,
                max_retries=0,
                httpx_client=self._http,
            )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @contextmanager
    def call(self, what: str, *, address: str = "") -> Iterator[LabelStudio]:
        """The SDK's client for one call. Parse the answer inside, so that another server's raises LabelStudioError.

        `what` is named where Label Studio does not find it. `address` is one that the call gives Label Studio: its
        refusals of it are explained.

        Raises:
            NotFound: there is no `what`, or the key may not see it.
            Unauthorized: Label Studio refuses the key, or forbids the call.
            LabelStudioUnreachable: there was no connection, or it broke.
            LabelStudioSilent: no answer came in time, or a proxy says that it is away.
            LabelStudioRefused: what was sent does not fit.
            LabelStudioError: Label Studio did not answer as it should.
        """
        with self._mapped(what, address), self._network.call(Deadline.after(self._call_s)):
            yield self._sdk

    def read_json(self, sdk: LabelStudio, path: str, **query: object) -> dict[str, Any]:
        """The JSON object at a path, as it came; parameters that are None are left out. Call it within `call`.

        For large lists: the SDK's own parsing (2.1.2) takes several times as long as Label Studio's JSON.

        Raises:
            ApiError: Label Studio refused the request.
            ValueError: the answer is no JSON object.
        """
        http = sdk._client_wrapper.httpx_client  # noqa: SLF001 - it adds the key, and refreshes a personal token
        asked = {name: value for name, value in query.items() if value is not None}
        response = http.request(path, method="GET", params=asked, request_options=self.retrying)
        if not response.is_success:
            raise ApiError(status_code=response.status_code, headers=dict(response.headers), body=_body(response))
        found = response.json()
        if not isinstance(found, dict):
            raise ValueError("the answer is no JSON object")  # noqa: TRY004 - mapped by `call`
        return found

    @contextmanager
    def _mapped(self, what: str, address: str) -> Iterator[None]:
        where = f"Label Studio at {self.url}"
        try:
            yield
        except ApiError as error:
            explained = address and explain_refusal(error.body, address)
            raise LabelStudioError(explained) if explained else _refusal(where, what, error) from error
        except httpx.TimeoutException as error:
            raise LabelStudioSilent(f"{where} did not answer in time; try again") from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise LabelStudioError(f"{self.url!r} is no address: set LABEL_STUDIO_URL to one with http://") from error
        except httpx.TransportError as error:
            raise LabelStudioUnreachable(f"{where} is not reachable: start it, or fix LABEL_STUDIO_URL") from error
        except (httpx.HTTPError, httpx.StreamError, ValidationError, ValueError) as error:
            raise LabelStudioError(
                f"{where} did not answer as Label Studio does: is LABEL_STUDIO_URL right?"
            ) from error


def _body(response: httpx.Response) -> object:
    try:
        return response.json()
    except ValueError:
        return response.text


def _refusal(where: str, what: str, error: ApiError) -> Exception:
    status, detail = error.status_code, detail_of(error.body)
    if status == httpx.codes.UNAUTHORIZED:
        if "legacy" in str(error.body).lower():
            return Unauthorized(
                f"{where} takes no legacy tokens: set LABEL_STUDIO_API_KEY to a personal access token"
                " (Account & Settings), or switch legacy tokens on for the organization"
            )
        return Unauthorized(f"{where} refused the key: set LABEL_STUDIO_API_KEY to one that is valid there")
    if status == httpx.codes.FORBIDDEN:
        return Unauthorized(
            f"{where} forbids it{detail}: LABEL_STUDIO_API_KEY is of a user who may not see or change {what}"
        )
    if status == httpx.codes.NOT_FOUND:
        return NotFound(
            f"{where} has no {what}, or the user of LABEL_STUDIO_API_KEY may not see it: check the number and the key"
        )
    if status is not None and httpx.codes.is_success(status):
        return LabelStudioError(f"{where} did not answer as Label Studio does: is LABEL_STUDIO_URL right?")
    kind = LabelStudioSilent if status in AWAY else LabelStudioRefused if status in REFUSED else LabelStudioError
    return kind(f"{where} answered {status or 'with an error'}{detail}")
