"""The settings, read from the environment. No other module reads it.

The first group has the names, defaults and meanings of Label Studio's `llm_interactive` example: a deployment moves over
by changing the image.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from annotune.errors import ConfigurationError
from annotune.server_url import server_url

DEFAULT_OLLAMA_ENDPOINT = "http://host.docker.internal:11434/v1/"
DEFAULT_PROMPT_TEMPLATE = "{prompt}\n\n{text}"
MEGABYTE = 1_000_000
DAY_S = 86_400
TEXT_FILE = "utf-8-sig"  # UTF-8, without the byte order mark that editors on Windows write
PATH_STARTS = ("/", "./", "../", "~/")
SECRET_HEADER = "X-Annotune-Secret"  # noqa: S105 - a header's name
"""The header in which Label Studio sends `WEBHOOK_SECRET`."""


@dataclass(frozen=True)
class BasicAuth:
    """The user and the password of HTTP basic auth."""

    user: str
    password: str = field(repr=False)


class Settings(BaseSettings):
    """All settings. An empty value counts as unset. Quotes that a compose list leaves around a value are removed."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, extra="ignore")

    openai_provider: Literal["openai", "azure", "ollama"] = Field(
        "openai", description="The kind of model server that answers if a project has no model of its own."
    )
    openai_model: str = Field("gpt-3.5-turbo", description="The model that answers then, on whichever server.")
    openai_api_key: SecretStr | None = Field(None, description="Key of the OpenAI or Azure API.")
    ollama_endpoint: str | None = Field(
        None,
        description=f"Ollama's address; wins over `OLLAMA_HOST`. If neither is set: `{DEFAULT_OLLAMA_ENDPOINT}`.",
    )
    azure_resource_endpoint: str | None = Field(None, description="Azure OpenAI: the resource's URL.")
    azure_deployment_name: str | None = Field(None, description="Azure OpenAI: the deployment that answers.")
    azure_api_version: str = Field("2023-05-15", description="Azure OpenAI: the API's version.")
    prompt_prefix: str = Field("prompt", description="A TextArea whose name starts with this is the prompt control.")
    prompt_template: str = Field(
        DEFAULT_PROMPT_TEMPLATE,
        description="What the model is sent. Placeholders: `{prompt}`, `{text}`, `{labels}` and task fields; those that the"
        " prompt has already are left out.",
    )
    use_internal_prompt_template: bool = Field(
        True, description="1: the prompt goes into `PROMPT_TEMPLATE`; 0: the prompt itself is the template."
    )
    status_control: str = Field(
        "llm_status", description="A read-only TextArea of this name tells the annotator why no answer came."
    )
    answer_controls: str = Field(
        "",
        description="Names of the controls that the model fills, separated by commas; unset: all that it can fill.",
    )
    default_prompt: str | None = Field(
        None,
        description="The prompt of a project that has none yet: a text, or the path of a file with the text. A single word"
        " that begins with `/`, `./`, `../` or `~/` must be such a path.",
    )
    temperature: float = Field(0.7, ge=0, le=2, description="Sampling temperature; 0 is greedy.")
    num_responses: int = Field(1, ge=1, le=16, description="Number of answers per task.")
    basic_auth_user: str | None = Field(
        None, description="With `BASIC_AUTH_PASS`: all routes but `/` and `/health` ask for basic auth."
    )
    basic_auth_pass: SecretStr | None = Field(None, description="See `BASIC_AUTH_USER`.")
    allow_anonymous: bool = Field(
        False,
        description="1: the backend may listen on any address without `BASIC_AUTH_USER`. Anyone who reaches the port may"
        " then ask, train and set parameters.",
    )
    max_body_mb: float = Field(16, gt=0, le=1024, description="Largest body of a request, in megabytes.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Lowest level that is logged.")
    workers: int = Field(1, ge=1, description="Processes of the web server; they share the limits.")
    threads: int = Field(96, ge=1, description="Threads of each of these processes.")

    redis_url: str = Field("redis://localhost:6379/0", description="Redis: queue, live pointers, prompts, answers.")
    ollama_host: str | None = Field(None, description="Ollama's own variable, used if `OLLAMA_ENDPOINT` is not set.")
    openai_base_url: str | None = Field(
        None, description="Address of any OpenAI-compatible API (vLLM, llama-server ...), ending in `/v1`."
    )
    label_studio_url: str | None = Field(
        None, description="Label Studio's address, such as `http://label-studio:8080`."
    )
    label_studio_api_key: SecretStr | None = Field(
        None,
        description="Label Studio's personal access token or legacy token. Predictions work without it, training does not.",
    )
    backend_url: str | None = Field(
        None, description="The address where Label Studio reaches this backend; `annotune connect` uses it."
    )
    webhook_secret: SecretStr | None = Field(
        None, description="Value of the header `X-Annotune-Secret` that `/webhook` accepts."
    )
    spool_dir: Path = Field(
        Path("spool"),
        description="Folder of the answers that wait while Redis is away. All backend processes of a host share it, on a"
        " volume that outlives them.",
    )
    answers_kept_days: int = Field(
        365,
        ge=0,
        description="Days that Redis keeps an answer after the last one to its task; 0: for ever. After that nobody can tell"
        " whether an annotator or the model wrote a text, and the prompt may be unknown.",
    )
    model_concurrency: int = Field(
        8, ge=1, description="Calls at a time to one model server, by all processes together."
    )
    model_deadline_s: float = Field(
        90, gt=0, allow_inf_nan=False, description="Seconds that an answer may take; Label Studio waits 100."
    )
    num_ctx: int = Field(4096, ge=256, description="The model's context window in tokens, set on each call to Ollama.")
    max_tokens: int = Field(1024, ge=1, description="Most tokens of an answer.")
    thinking: bool = Field(
        False, description="1: a thinking model may think first. Its thoughts are never part of the answer."
    )
    allowed_models: str = Field(
        "",
        description="Models that a connection's extra parameters may choose, such as `ollama:llama3`, separated by commas.",
    )
    image_hosts: str = Field(
        "",
        description="Hosts and networks (`10.1.0.0/16`) besides Label Studio that pictures are fetched from, separated by"
        " commas. A private address must be in one of the networks.",
    )
    image_max_mb: float = Field(10, gt=0, le=100, description="Largest picture, in megabytes.")
    image_timeout_s: float = Field(10, gt=0, le=60, description="Seconds that the fetch of a picture may take.")
    system_prompt: str = Field("", description="System message before every prompt; unset: none.")
    deployment: str = Field(
        "main",
        pattern=r"^[a-z0-9][a-z0-9-]{0,39}$",
        description="Name of this deployment. It is part of model names and of keys in Redis: several deployments can"
        " share an Ollama and a Redis.",
    )
    recipe: str | None = Field(
        None,
        description="Training recipe: a name in `prompts/recipes/`, or the path of a file; unset: training is off.",
    )
    train_every: int = Field(
        0, ge=0, description="Train when this many annotations are new or changed since the last try; 0: off."
    )
    min_examples: int = Field(10, ge=1, description="Fewest texts to train on; 5 more are held out.")
    experts: str = Field(
        "", description="E-mails of Label Studio's users whose annotations outrank others', by commas."
    )
    promote: Literal["auto", "manual"] = Field(
        "auto",
        description="`auto`: a version that passes its gates goes live by itself over an earlier version or its base."
        " `manual`: it waits for `annotune models promote`.",
    )
    reconcile_s: float = Field(
        300,
        gt=0,
        allow_inf_nan=False,
        description="Seconds between two checks of Label Studio for changes that no webhook reported.",
    )
    trainer_python: str = Field(
        ".venv-trainer/bin/python", description="Python interpreter of the training environment."
    )
    runs_dir: Path = Field(Path("runs"), description="Folder of the datasets, weights and manifests of all runs.")
    llama_cpp_dir: Path | None = Field(
        None,
        description="Folder of an installed llama.cpp; its converter and quantiser replace the packaged ones.",
    )

    @model_validator(mode="before")
    @classmethod
    def _unquote(cls, values: dict[str, Any]) -> dict[str, Any]:
        cleaned = {}
        for name, value in values.items():
            bare = value
            if isinstance(value, str):
                bare = value.strip()
                if len(bare) > 1 and bare[0] in "\"'" and bare.find(bare[0], 1) == len(bare) - 1:
                    bare = bare[1:-1].strip()
                if not bare:
                    continue
            cleaned[name] = bare
        return cleaned

    @field_validator("label_studio_url")
    @classmethod
    def _address(cls, url: str | None) -> str | None:
        if url is not None and urlsplit(url).scheme not in {"http", "https"}:
            raise ValueError("write an address like 'http://label-studio:8080'")
        if url is not None and "@" in urlsplit(url).netloc:
            raise ValueError("leave the name and the password out: Label Studio takes LABEL_STUDIO_API_KEY alone")
        return url

    @field_validator("openai_provider", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @property
    def ollama_url(self) -> str:
        """Base URL of Ollama's native API, without a trailing slash.

        Raises:
            ConfigurationError: `OLLAMA_ENDPOINT` or `OLLAMA_HOST` holds no address.
        """
        if self.ollama_endpoint is None and self.ollama_host is not None:
            return server_url(self.ollama_host, setting="OLLAMA_HOST")
        return server_url(self.ollama_endpoint or DEFAULT_OLLAMA_ENDPOINT)

    @property
    def answer_names(self) -> tuple[str, ...]:
        """The names in `ANSWER_CONTROLS`."""
        return _listed(self.answer_controls)

    @property
    def expert_emails(self) -> tuple[str, ...]:
        """The e-mails in `EXPERTS`."""
        return _listed(self.experts)

    @property
    def models_allowed(self) -> tuple[str, ...]:
        """The models in `ALLOWED_MODELS`."""
        return _listed(self.allowed_models)

    @property
    def image_places(self) -> tuple[str, ...]:
        """The hosts and networks in `IMAGE_HOSTS`."""
        return _listed(self.image_hosts)

    @property
    def has_label_studio(self) -> bool:
        """Whether Label Studio's address and key are set."""
        return self.label_studio_url is not None and self.label_studio_api_key is not None

    @property
    def largest_body(self) -> int:
        """`MAX_BODY_MB` in bytes."""
        return int(self.max_body_mb * MEGABYTE)

    @property
    def basic_auth(self) -> BasicAuth | None:
        """`BASIC_AUTH_USER` and `BASIC_AUTH_PASS`; None if neither is set.

        Raises:
            ConfigurationError: only one of the two is set.
        """
        user, password = self.basic_auth_user, self.basic_auth_pass
        if user is not None and password is not None:
            return BasicAuth(user, password.get_secret_value())
        if user is None and password is None:
            return None
        missing = "BASIC_AUTH_USER" if user is None else "BASIC_AUTH_PASS"
        raise ConfigurationError(f"{missing} is not set: set both BASIC_AUTH_USER and BASIC_AUTH_PASS, or neither")

    @property
    def template(self) -> str:
        """The template that a prompt goes into."""
        return self.prompt_template if self.use_internal_prompt_template else "{prompt}"

    def system_message(self, own: str | None) -> str:
        """A project's own system message, else `SYSTEM_PROMPT`. An empty one of its own means none."""
        return self.system_prompt if own is None else own

    @property
    def default_prompt_text(self) -> str | None:
        """`DEFAULT_PROMPT`, or the text of the file that it names; None if it is unset or the file is blank.

        Raises:
            ConfigurationError: the file does not exist or cannot be read.
        """
        if self.default_prompt is None:
            return None
        path = Path(self.default_prompt)
        try:
            is_file = path.is_file()
        except OSError:  # a long text is no file name
            is_file = False
        if not is_file and self.default_prompt.startswith(PATH_STARTS) and len(self.default_prompt.split()) == 1:
            raise ConfigurationError(
                f"DEFAULT_PROMPT={self.default_prompt!r} is no file: give the path of an existing file, or write the prompt"
                " itself (a single word that begins like a path counts as a path)"
            )
        if not is_file:
            return self.default_prompt
        try:
            return path.read_text(encoding=TEXT_FILE).strip() or None
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                "DEFAULT_PROMPT names a file that cannot be read as UTF-8: fix the file"
            ) from error

    @property
    def answers_kept_s(self) -> int:
        """`ANSWERS_KEPT_DAYS` in seconds."""
        return self.answers_kept_days * DAY_S

    @property
    def calls_per_worker(self) -> int:
        """The share of `MODEL_CONCURRENCY` that one web process has."""
        return max(1, self.model_concurrency // self.workers)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process.

    Raises:
        ConfigurationError: a variable does not validate. The message names it and never shows its value.
    """
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0]).upper() if first["loc"] else "the environment"
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigurationError(f"the setting {name} is wrong: {reason}") from None
    for derived in ("ollama_url", "default_prompt_text"):  # every command reports these mistakes at its start
        getattr(settings, derived)
    return settings
