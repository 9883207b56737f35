"""Any OpenAI-compatible API: OpenAI, Azure, vLLM, llama-server."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai

from annotune.completion import ChatRequest, Completion
from annotune.errors import (
    AnswerRefused,
    ConfigurationError,
    DeadlineExceeded,
    ModelServerBusy,
    ModelServerError,
    ModelServerUnreachable,
    NotFound,
    PromptTooLong,
)
from annotune.settings import Settings

OPENAI_URL = "https://api.openai.com/v1"


class OpenAIServer:
    """One OpenAI-compatible API. The client's own retries are off: ours is the one retry layer."""

    def __init__(self, client: openai.OpenAI, *, name: str, key_setting: str, url_setting: str) -> None:
        self.name = name
        self.url = str(client.base_url).rstrip("/")
        self._client = client
        self._key_setting = key_setting
        self._url_setting = url_setting
        # OpenAI's reasoning models take only the newer name, other servers often only the older.
        self._max_tokens = "max_completion_tokens" if name == "azure" or self.url == OPENAI_URL else "max_tokens"

    @classmethod
    def from_settings(cls, settings: Settings) -> "OpenAIServer":
        """The API that `OPENAI_API_KEY` and `OPENAI_BASE_URL` name.

        Raises:
            ConfigurationError: neither is set.
        """
        key = settings.openai_api_key
        if key is None and settings.openai_base_url is None:
            raise ConfigurationError("OpenAI needs a key: set OPENAI_API_KEY (or OPENAI_BASE_URL for another server)")
        client = openai.OpenAI(
            api_key=key.get_secret_value() if key else "none",
            base_url=settings.openai_base_url or OPENAI_URL,
            max_retries=0,
        )
        return cls(client, name="openai", key_setting="OPENAI_API_KEY", url_setting="OPENAI_BASE_URL")

    @classmethod
    def azure(cls, settings: Settings) -> "OpenAIServer":
        """The Azure deployment that the `AZURE_*` settings name.

        Raises:
            ConfigurationError: one of them is not set.
        """
        if settings.azure_resource_endpoint is None or settings.openai_api_key is None:
            raise ConfigurationError("Azure OpenAI needs AZURE_RESOURCE_ENDPOINT and OPENAI_API_KEY: set both")
        client = openai.AzureOpenAI(
            api_key=settings.openai_api_key.get_secret_value(),
            azure_endpoint=settings.azure_resource_endpoint,
            azure_deployment=settings.azure_deployment_name,
            api_version=settings.azure_api_version,
            max_retries=0,
        )
        return cls(client, name="azure", key_setting="OPENAI_API_KEY", url_setting="AZURE_RESOURCE_ENDPOINT")

    def chat(self, request: ChatRequest, *, deadline_s: float) -> Completion:
        """Ask once, by `chat.completions`."""
        body: dict[str, Any] = {
            "model": request.model,
            "messages": [message.as_dict() for message in request.messages],
            "temperature": request.temperature,
            self._max_tokens: request.max_tokens,
        }
        if request.seed is not None:
            body["seed"] = request.seed
        if request.logprobs:
            body["logprobs"] = True
        if request.schema is not None:
            schema = {"name": "answer", "schema": request.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        started = time.monotonic()
        with self._mapped(request.model, deadline_s):
            reply = self._client.chat.completions.create(**body, timeout=deadline_s)
        choice = reply.choices[0] if getattr(reply, "choices", None) else None
        text = choice.message.content if choice else None
        if choice is None or not isinstance(text, str):
            raise AnswerRefused(f"{self.name} at {self.url} answered without a text with {request.model}; try again")
        usage, given = reply.usage, choice.logprobs
        return Completion(
            text=text,
            model=request.model,
            prompt_tokens=usage.prompt_tokens if usage else 0,
            tokens=usage.completion_tokens if usage else 0,
            seconds=time.monotonic() - started,
            finish="length" if choice.finish_reason == "length" else "stop",
            logprobs=tuple(entry.logprob for entry in given.content) if given and given.content else None,
        )

    def check(self, *, deadline_s: float) -> None:
        """List the models: asks for no answer, and a wrong key is told."""
        with self._mapped("", deadline_s):
            self._client.models.list(timeout=deadline_s)

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    @contextmanager
    def _mapped(self, model: str, deadline_s: float) -> Iterator[None]:
        where = f"{self.name} at {self.url}"
        try:
            yield
        except openai.APITimeoutError as error:
            raise DeadlineExceeded(f"{where} did not answer within {deadline_s:.0f} s; try again") from error
        except openai.APIConnectionError as error:
            raise ModelServerUnreachable(f"{where} is not reachable: start it, or mend {self._url_setting}") from error
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise ModelServerError(f"{where} refused the key: mend {self._key_setting}") from error
        except openai.NotFoundError as error:
            raise NotFound(f"{where} has no model {model!r}: choose another, or mend {self._url_setting}") from error
        except openai.RateLimitError as error:
            raise ModelServerBusy(f"{where} is busy or the quota is spent; try again", _retry_after(error)) from error
        except openai.APIStatusError as error:
            busy = error.status_code in {502, 503, 504, 529}
            if busy:
                raise ModelServerBusy(f"{where} is busy; try again", _retry_after(error)) from error
            if "context" in str(error.message) and error.status_code == 400:  # noqa: PLR2004 - HTTP
                raise PromptTooLong(f"the prompt does not fit {model}: {_short(error)}") from error
            raise ModelServerError(f"{where} answered {error.status_code}: {_short(error)}") from error
        except (openai.OpenAIError, ValueError) as error:
            raise ModelServerError(f"{where} did not answer as OpenAI does: is {self._url_setting} right?") from error


def _retry_after(error: openai.APIStatusError) -> float | None:
    try:
        return float(error.response.headers["retry-after"])
    except (KeyError, ValueError):
        return None


def _short(error: openai.APIStatusError) -> str:
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    return str(message or error.message)[:300]
