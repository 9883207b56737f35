"""Any OpenAI-compatible API: OpenAI, Azure, vLLM, llama-server."""

import base64
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import openai
from openai.types.chat import ChatCompletion

from annotune.chat import ChatRequest, Completion, Token
from annotune.deadline import Deadline
from annotune.errors import (
    AnnotuneError,
    AnswerCut,
    AnswerRefused,
    ConfigurationError,
    DeadlineExceeded,
    KeyRefused,
    ModelServerBusy,
    ModelServerError,
    ModelServerUnreachable,
    NotFound,
    PromptTooLong,
    RequestInvalid,
)
from annotune.network import SMALL_BYTES, AnswerTooLarge, Network
from annotune.servers.base import most_bytes, retry_after_s
from annotune.servers.capabilities import Capabilities
from annotune.servers.thoughts import without_thoughts
from annotune.settings import Settings

OPENAI_URL = "https://api.openai.com/v1"
# The first version of Azure's API that accepts `max_completion_tokens`. Versions are dates.
AZURE_MAX_COMPLETION_TOKENS = "2024-09-01"
# Parameters that some models and servers refuse, and that an answer does not need.
OPTIONAL = ("logprobs", "top_logprobs", "response_format", "temperature", "seed")
UNKNOWN = re.compile(r"support|unknown|unrecogni[sz]ed|unexpected|not (permitted|allowed)|extra", re.IGNORECASE)
BUSY = frozenset({429, 502, 503, 504, 529})
# Raised by the client, by its transport (httpx2, since openai 3) and while an answer is read, where the server does not
# speak OpenAI's API.
FOREIGN = (
    openai.OpenAIError,
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpx2.CookieConflict,
    httpx2.StreamError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    RecursionError,
)


class OpenAIClient:
    """One OpenAI-compatible API. The client's own retries are off: `LimitedServer` does all retries."""

    capabilities = Capabilities(
        free=False, counts_tokens=True, logprobs=True, schema=True, renders=False, registry=False
    )

    def __init__(
        self, client: openai.OpenAI, network: Network, *, name: str, url_setting: str, max_tokens: str
    ) -> None:
        """`network`: the client's HTTP client is bound to it. `max_tokens`: the parameter's name at this server."""
        self.name = name
        self.url = str(client.base_url.copy_with(userinfo=b"")).rstrip("/")  # for messages: no password
        self._client = client
        self._network = network
        self._url_setting = url_setting
        self._max_tokens = max_tokens
        self._refused: dict[str, set[str]] = {}

    @classmethod
    def from_settings(cls, settings: Settings) -> "OpenAIClient":
        """The API that `OPENAI_API_KEY` and `OPENAI_BASE_URL` name.

        Raises:
            ConfigurationError: neither is set.
        """
        key = settings.openai_api_key
        if key is None and settings.openai_base_url is None:
            raise ConfigurationError("OpenAI needs a key: set OPENAI_API_KEY (or OPENAI_BASE_URL for another server)")
        url = (settings.openai_base_url or OPENAI_URL).rstrip("/")
        network = Network()
        with _address("OPENAI_BASE_URL"):
            client = openai.OpenAI(
                api_key=key.get_secret_value() if key else "none",
                base_url=url,
                max_retries=0,
                http_client=network.bind(openai.DefaultHttpxClient()),
            )
        # OpenAI's reasoning models accept only the newer name, other servers often only the older one.
        max_tokens = "max_completion_tokens" if url == OPENAI_URL else "max_tokens"
        return cls(client, network, name="openai", url_setting="OPENAI_BASE_URL", max_tokens=max_tokens)

    @classmethod
    def azure(cls, settings: Settings) -> "OpenAIClient":
        """The Azure resource that the `AZURE_*` settings name; a request's model is the deployment that answers it.

        Raises:
            ConfigurationError: one of them is not set.
        """
        if settings.azure_resource_endpoint is None or settings.openai_api_key is None:
            raise ConfigurationError("Azure OpenAI needs AZURE_RESOURCE_ENDPOINT and OPENAI_API_KEY: set both")
        network = Network()
        with _address("AZURE_RESOURCE_ENDPOINT"):
            client = openai.AzureOpenAI(
                api_key=settings.openai_api_key.get_secret_value(),
                azure_endpoint=settings.azure_resource_endpoint,
                api_version=settings.azure_api_version,
                max_retries=0,
                http_client=network.bind(openai.DefaultHttpxClient()),
            )
        max_tokens = (
            "max_completion_tokens" if settings.azure_api_version >= AZURE_MAX_COMPLETION_TOKENS else "max_tokens"
        )
        return cls(client, network, name="azure", url_setting="AZURE_RESOURCE_ENDPOINT", max_tokens=max_tokens)

    def chat(self, request: ChatRequest, deadline: Deadline) -> Completion:
        """Ask once, by `chat.completions`. Raises as `ModelServer.chat`."""
        started = time.monotonic()
        with self._mapped(request.model, deadline), self._network.call(deadline, most_bytes(request)):
            reply = self._create(self._body(request), deadline)
            # The client does not validate a reply. One of another shape raises while it is read.
            choice, usage = reply.choices[0], reply.usage
            text, cut = choice.message.content, choice.finish_reason == "length"
            if not isinstance(text, str) and cut:
                raise AnswerCut(f"{request.model} used up its tokens without an answer: raise MAX_TOKENS")
            if not isinstance(text, str):
                raise AnswerRefused(
                    f"{self.name} at {self.url} answered without a text with {request.model}; try again"
                )
            answer = without_thoughts(text, cut=cut, think=request.think)
            thoughts = getattr(choice.message, "reasoning_content", None) or getattr(choice.message, "reasoning", None)
            # Thoughts have log-probabilities too, and nothing tells them from those of the answer.
            has_logprobs = choice.logprobs and answer == text and not thoughts
            tokens = choice.logprobs.content if has_logprobs else None
            return Completion(
                text=answer,
                model=request.model,
                prompt_tokens=usage.prompt_tokens if usage else 0,
                tokens=usage.completion_tokens if usage else 0,
                seconds=time.monotonic() - started,
                finish="length" if cut else "stop",
                logprobs=tuple(_token(entry) for entry in tokens) if tokens else None,
            )

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": request.model,
            "messages": _messages(request),
            "temperature": request.temperature,
            self._max_tokens: request.max_tokens,
        }
        if request.seed is not None:
            body["seed"] = request.seed
        if request.logprobs:
            body["logprobs"] = True
            if request.top_logprobs:
                body["top_logprobs"] = request.top_logprobs
        if request.schema is not None:
            schema = {"name": "answer", "schema": request.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body

    def _create(self, body: dict[str, Any], deadline: Deadline) -> Any:
        """Ask. An optional parameter that the server refuses for a model is left out, now and in later calls."""
        refused = self._refused.setdefault(str(body["model"]), set())
        while True:
            accepted = {name: value for name, value in body.items() if name not in refused}
            # The client applies its timeout to each read. The network holds all of them to the deadline.
            timeout = deadline.left_s
            try:
                with self._client.chat.completions.with_streaming_response.create(
                    **accepted, timeout=timeout
                ) as response:
                    return ChatCompletion.construct(**json.loads(response.read()))
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                reason = f"{getattr(error, 'param', '')} {_reason(error)}"
                names = [name for name in OPTIONAL if name in accepted and name in reason and UNKNOWN.search(reason)]
                if not names:
                    raise
                refused.update({*names, *(("top_logprobs",) if "logprobs" in names else ())})

    def check(self, deadline: Deadline) -> None:
        """List the models: a wrong key shows, and no model is asked. Raises as `ModelServer.check`."""
        with self._mapped("", deadline), self._network.call(deadline, SMALL_BYTES):
            self._client.models.list(timeout=deadline.left_s)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @contextmanager
    def _mapped(self, model: str, deadline: Deadline) -> Iterator[None]:
        where, left_s = f"{self.name} at {self.url}", deadline.left_s
        try:
            yield
        except (openai.APITimeoutError, httpx2.TimeoutException) as error:
            raise DeadlineExceeded(f"{where} did not answer within {left_s:.0f} s; try again") from error
        except AnswerTooLarge as error:
            raise AnswerRefused(f"{where} sent far more than an answer: is {self._url_setting} right?") from error
        except (openai.APIConnectionError, httpx2.TransportError) as error:
            raise ModelServerUnreachable(f"{where} is not reachable: start it, or fix {self._url_setting}") from error
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise KeyRefused(f"{where} refused the key: fix OPENAI_API_KEY") from error
        except openai.APIStatusError as error:
            raise self._refusal(where, model, error) from error
        except UnicodeEncodeError as error:
            raise RequestInvalid("the prompt holds half a surrogate pair, which is no text: take it out") from error
        except FOREIGN as error:
            raise ModelServerError(f"{where} did not answer as OpenAI does: is {self._url_setting} right?") from error

    def _refusal(self, where: str, model: str, error: openai.APIStatusError) -> AnnotuneError:
        """The error of an answer with an error's status. `model`: the model that was asked, if any."""
        message = str(error.message).lower()
        if error.status_code in BUSY:
            return ModelServerBusy(
                f"{where} is busy or the quota is spent; try again", retry_after_s(error.response.headers)
            )
        if model and isinstance(error, openai.NotFoundError):
            return NotFound(f"{where} has no model {model!r}: choose another, or fix {self._url_setting}")
        if isinstance(error, openai.BadRequestError) and "context" in message:
            return PromptTooLong(f"the prompt does not fit {model}: {_reason(error)}")
        if isinstance(error, openai.BadRequestError) and ("image" in message or "multimodal" in message):
            return RequestInvalid(
                f"{model} cannot see this picture, or none: choose a model with vision ({_reason(error)})"
            )
        return ModelServerError(
            f"{where} answered {error.status_code}: {_reason(error)} (is {self._url_setting} right?)"
        )


def _messages(request: ChatRequest) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [message.as_dict() for message in request.messages]
    if request.images:
        parts = [{"type": "text", "text": messages[-1]["content"]}]
        for image in request.images:
            url = f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"
            parts.append({"type": "image_url", "image_url": {"url": url}})
        messages[-1]["content"] = parts
    return messages


def _token(entry: Any) -> Token:
    candidates = tuple((other.token, float(other.logprob)) for other in entry.top_logprobs or ())
    return Token(entry.token, float(entry.logprob), candidates)


@contextmanager
def _address(setting: str) -> Iterator[None]:
    try:
        yield
    except (httpx2.InvalidURL, ValueError) as error:
        raise ConfigurationError(
            f"{setting} is no address of a server: set it to one like 'https://host/v1'"
        ) from error


def _reason(error: openai.APIStatusError) -> str:
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    return str(message or error.message)[:300]
