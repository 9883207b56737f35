"""The environment: llm_interactive's names, defaults and meaning, and ours beside them."""

from pathlib import Path

import pytest

from annotune.errors import ConfigurationError
from annotune.models import ModelRef
from annotune.prompt import Prompt
from annotune.servers.pool import default_ref
from annotune.settings import BasicAuth, Settings, load_settings

SECRET = "sk-made-up-3141592653"
INHERITED_DEFAULTS = {
    "OPENAI_PROVIDER": "openai",
    "OPENAI_MODEL": "gpt-3.5-turbo",
    "OPENAI_API_KEY": None,
    "AZURE_RESOURCE_ENDPOINT": None,
    "AZURE_DEPLOYMENT_NAME": None,
    "AZURE_API_VERSION": "2023-05-15",
    "PROMPT_PREFIX": "prompt",
    "USE_INTERNAL_PROMPT_TEMPLATE": True,
    "DEFAULT_PROMPT": None,
    "TEMPERATURE": 0.7,
    "NUM_RESPONSES": 1,
    "BASIC_AUTH_USER": None,
    "BASIC_AUTH_PASS": None,
    "LOG_LEVEL": "INFO",
    "THREADS": 96,
    "REDIS_URL": "redis://localhost:6379/0",
}
NO_ADDRESSES = ["http://", "ftp://ollama", "ollama:port", "ollama:99999", "ollama here", "[", "http://[zz]", "/v1/"]
WRONG = {
    "OPENAI_PROVIDER": "bedrock-3141592653",
    "TEMPERATURE": "hot-3141592653",
    "NUM_RESPONSES": "0",
    "USE_INTERNAL_PROMPT_TEMPLATE": "perhaps-3141592653",
    "LOG_LEVEL": "LOUD-3141592653",
    "WORKERS": "-3",
    "THREADS": "many-3141592653",
    "MODEL_DEADLINE_S": "inf",
    "RECONCILE_S": "nan",
    "DEPLOYMENT": "Upper Case 3141592653",
    "PROMOTE": "sometimes-3141592653",
    "TRAIN_EVERY": "-1",
}


def set_environment(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return load_settings()


@pytest.mark.parametrize(("name", "default"), INHERITED_DEFAULTS.items())
def test_a_variable_of_llm_interactive_keeps_its_default(name: str, default: object) -> None:
    assert getattr(load_settings(), name.lower()) == default


def test_ollama_is_looked_for_on_the_docker_host_by_default() -> None:
    assert load_settings().ollama_url == "http://host.docker.internal:11434"


def test_the_compose_file_of_llm_interactive_is_accepted_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = set_environment(
        monkeypatch,
        MODEL_DIR="/data/models",
        OPENAI_PROVIDER="ollama",
        OPENAI_API_KEY="",
        OPENAI_MODEL="llama3",
        OLLAMA_ENDPOINT='"http://host.docker.internal:11434/v1/"',
        USE_INTERNAL_PROMPT_TEMPLATE="1",
        DEFAULT_PROMPT="",
        PROMPT_PREFIX="prompt",
        LOG_LEVEL="DEBUG",
        NUM_RESPONSES="1",
        TEMPERATURE="0.7",
        AZURE_RESOURCE_ENDPOINT="",
        AZURE_DEPLOYMENT_NAME="",
        AZURE_API_VERSION="2023-05-15",
        BASIC_AUTH_USER="",
        BASIC_AUTH_PASS="",
    )

    assert default_ref(settings) == ModelRef(server="ollama", model="llama3")
    assert settings.ollama_url == "http://host.docker.internal:11434"
    assert (settings.openai_api_key, settings.basic_auth_user, settings.default_prompt) == (None, None, None)


@pytest.mark.parametrize("empty", ["", "  ", '""', "''", '" "'])
@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_empty_is_unset(monkeypatch: pytest.MonkeyPatch, name: str, empty: str) -> None:
    settings = set_environment(monkeypatch, **{name.upper(): empty})

    assert getattr(settings, name) == getattr(Settings.model_construct(), name)


@pytest.mark.parametrize("quoted", ['"llama3"', "'llama3'", ' "llama3" ', "llama3"])
def test_quotes_left_in_by_a_compose_list_are_taken_off(monkeypatch: pytest.MonkeyPatch, quoted: str) -> None:
    assert set_environment(monkeypatch, OPENAI_MODEL=quoted).openai_model == "llama3"


def test_quotes_inside_a_template_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    template = '"{text}"\n\n"{prompt}"'

    assert set_environment(monkeypatch, PROMPT_TEMPLATE=template).template == template


def test_ollama_endpoint_wins_over_ollama_host(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = set_environment(monkeypatch, OLLAMA_ENDPOINT="http://ollama:11434/v1/", OLLAMA_HOST="0.0.0.0:1")

    assert settings.ollama_url == "http://ollama:11434"


def test_ollama_host_is_understood_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set_environment(monkeypatch, OLLAMA_HOST="0.0.0.0:7").ollama_url == "http://127.0.0.1:7"


@pytest.mark.parametrize("name", ["OLLAMA_ENDPOINT", "OLLAMA_HOST"])
@pytest.mark.parametrize("written", NO_ADDRESSES)
def test_what_is_no_address_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, written: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} ") as refused:
        set_environment(monkeypatch, **{name: written})
    assert repr(written) not in str(refused.value)


def test_a_password_in_an_address_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError) as refused:
        set_environment(monkeypatch, OLLAMA_ENDPOINT=f"http://user:{SECRET}@ollama:port")
    assert SECRET not in str(refused.value)


def test_a_password_in_label_studios_address_is_refused_since_it_would_stand_in_messages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(
        ConfigurationError, match=r"LABEL_STUDIO_URL is wrong: leave the name and the password"
    ) as refused:
        set_environment(monkeypatch, LABEL_STUDIO_URL=f"http://user:{SECRET}@label.example.org")
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(("name", "value"), WRONG.items())
def test_a_wrong_value_is_one_sentence_with_the_variable_and_without_the_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        set_environment(monkeypatch, **{name: value})

    message = str(refused.value)
    assert name in message
    assert "3141592653" not in message
    assert "\n" not in message


def test_an_unknown_provider_is_not_found_out_at_the_first_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"OPENAI_PROVIDER.*'openai', 'azure' or 'ollama'"):
        set_environment(monkeypatch, OPENAI_PROVIDER="opnai")


def test_settings_are_read_when_asked_and_not_at_import(monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_settings().openai_model
    after = set_environment(monkeypatch, OPENAI_MODEL="llama3").openai_model

    assert (before, after) == ("gpt-3.5-turbo", "llama3")


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "BASIC_AUTH_PASS", "LABEL_STUDIO_API_KEY", "WEBHOOK_SECRET"])
def test_a_secret_stands_in_no_repr_and_no_json(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    settings = set_environment(monkeypatch, **{name: SECRET})

    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)
    assert SECRET not in settings.model_dump_json()


def test_a_password_stands_in_no_repr_of_the_basic_auth() -> None:
    basic = Settings(basic_auth_user="ls", basic_auth_pass=SECRET).basic_auth

    assert basic == BasicAuth("ls", SECRET)
    assert SECRET not in repr(basic)


def test_without_user_and_password_there_is_no_basic_auth() -> None:
    assert Settings().basic_auth is None


@pytest.mark.parametrize(
    ("half", "missing"), [("basic_auth_user", "BASIC_AUTH_PASS"), ("basic_auth_pass", "BASIC_AUTH_USER")]
)
def test_half_of_the_basic_auth_is_refused_by_the_name_of_the_other_half(half: str, missing: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{missing} is not set") as refused:
        _ = Settings(**{half: SECRET}).basic_auth
    assert SECRET not in str(refused.value)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().openai_model = "other"  # type: ignore[misc]


@pytest.mark.parametrize(("internal", "template"), [("1", "Text: {text} {prompt}"), ("0", "{prompt}")])
def test_use_internal_prompt_template_chooses_what_a_prompt_goes_into(
    monkeypatch: pytest.MonkeyPatch, internal: str, template: str
) -> None:
    settings = set_environment(
        monkeypatch, PROMPT_TEMPLATE="Text: {text} {prompt}", USE_INTERNAL_PROMPT_TEMPLATE=internal
    )

    assert settings.template == template


@pytest.mark.parametrize("internal", ["0", "1"])
def test_default_prompt_works_with_either_template(monkeypatch: pytest.MonkeyPatch, internal: str) -> None:
    settings = set_environment(
        monkeypatch, DEFAULT_PROMPT="Answer briefly: {text}", USE_INTERNAL_PROMPT_TEMPLATE=internal
    )
    (message,) = Prompt(settings.default_prompt_text or "", settings.template).render({}, text="Why?")

    assert "Answer briefly: Why?" in message.content


def test_default_prompt_is_a_text() -> None:
    assert load_settings(default_prompt="Answer briefly").default_prompt_text == "Answer briefly"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_default_prompt_is_read_from_the_file_that_it_names(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text("Answer {text}, “briefly”\n", encoding=encoding)

    assert load_settings(default_prompt=str(file)).default_prompt_text == "Answer {text}, “briefly”"


@pytest.mark.parametrize("text", ["long " * 2000, "nul \0 byte", "a\nb", "~nobody/"])
def test_a_default_prompt_that_can_be_no_file_is_a_text(text: str) -> None:
    assert load_settings(default_prompt=text).default_prompt_text == text.strip()


def test_a_default_prompt_file_that_cannot_be_read_is_never_sent_as_its_path(tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_bytes(b"\xff\xfe\xff")

    with pytest.raises(ConfigurationError, match="DEFAULT_PROMPT"):
        _ = load_settings(default_prompt=str(file)).default_prompt_text


@pytest.mark.parametrize("path", ["/no/such/prompt.txt", "./prompt.txt", "../prompt", "~/prompt.txt", "/"])
def test_a_mistyped_path_is_no_default_prompt(path: str) -> None:
    with pytest.raises(ConfigurationError, match="DEFAULT_PROMPT") as refused:
        load_settings(default_prompt=path)

    assert f"{path!r} is no file" in str(refused.value)


@pytest.mark.parametrize("text", ["/ is a slash.", "Yes/No?", "./a\n./b", "Summarise!"])
def test_a_default_prompt_that_only_looks_a_little_like_a_path_is_a_text(text: str) -> None:
    assert load_settings(default_prompt=text).default_prompt_text == text


def test_an_empty_default_prompt_file_is_no_prompt(tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text("\n")

    assert load_settings(default_prompt=str(file)).default_prompt_text is None


@pytest.mark.parametrize(("limit", "workers", "each"), [(8, 1, 8), (8, 2, 4), (8, 3, 2), (2, 8, 1)])
def test_limits_are_divided_among_workers(limit: int, workers: int, each: int) -> None:
    assert load_settings(model_concurrency=limit, workers=workers).calls_per_worker == each


def test_azure_answers_by_its_deployment() -> None:
    settings = load_settings(openai_provider="azure", azure_deployment_name="medical-4o", openai_model="ignored")

    assert default_ref(settings) == ModelRef(server="azure", model="medical-4o")
