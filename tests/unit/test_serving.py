"""What answers a project, and the model version that follows from it."""

import pytest

from annotune.errors import PromptMissing
from annotune.models import ModelRef
from annotune.options import Options
from annotune.prompt import Prompt
from annotune.serving import WITH_PROMPT, DefaultModel, Serving
from annotune.settings import Settings

SMALL, LARGE = ModelRef(server="ollama", model="small"), ModelRef(server="ollama", model="large:8b")
TEMPLATE, SYSTEM = "{prompt}\n---\n{text}", "Be brief."
WITHOUT = Serving(SMALL, Options.of(Settings()), prompt=None, template=TEMPLATE, system=SYSTEM)


def test_a_typed_prompt_gets_the_template_and_the_system_message() -> None:
    serving = WITHOUT.with_prompt("Summarise.")

    assert serving.prompt == Prompt("Summarise.", TEMPLATE, SYSTEM)
    assert serving.required_prompt(4) is serving.prompt
    assert (serving.ref, serving.options) == (WITHOUT.ref, WITHOUT.options)


def test_the_model_version_names_the_model_and_the_prompt() -> None:
    serving = WITHOUT.with_prompt("Summarise.")

    assert WITHOUT.model_version == "small"
    assert serving.model_version == f"small@{Prompt('Summarise.', TEMPLATE, SYSTEM).sha[:8]}"
    assert serving.with_model(LARGE).model_version == serving.model_version.replace("small@", "large:8b@")


def test_a_model_version_with_a_prompt_is_told_from_one_without() -> None:
    assert WITH_PROMPT.fullmatch(WITHOUT.with_prompt("Summarise.").model_version)
    assert not WITH_PROMPT.fullmatch(WITHOUT.model_version)


@pytest.mark.parametrize("other", [("Summarize.", TEMPLATE, SYSTEM), ("Summarise.", "{prompt}", SYSTEM)])
def test_another_prompt_is_another_version(other: tuple[str, str, str]) -> None:
    text, template, system = other
    serving = Serving(SMALL, WITHOUT.options, prompt=None, template=template, system=system).with_prompt(text)

    assert serving.model_version != WITHOUT.with_prompt("Summarise.").model_version


def test_a_missing_prompt_is_an_error_that_names_the_project_and_the_ways_to_give_one() -> None:
    with pytest.raises(PromptMissing, match=r"project 4 .*'annotune prompts set 4'.*DEFAULT_PROMPT"):
        WITHOUT.required_prompt(4)


@pytest.mark.parametrize(
    ("of_connection", "text"),
    [(True, "ollama:small (the connection's own)"), (False, "ollama:small (the environment's default)")],
)
def test_a_default_model_says_whose_it_is(of_connection: bool, text: str) -> None:
    assert str(DefaultModel(SMALL, of_connection=of_connection)) == text


@pytest.mark.parametrize(("own", "message"), [(None, "Be brief."), ("Be kind.", "Be kind."), ("", "")])
def test_a_projects_own_system_message_wins_over_the_setting(own: str | None, message: str) -> None:
    settings = Settings(prompt_template=TEMPLATE, system_prompt=SYSTEM)

    assert settings.system_message(own) == message
    assert Prompt.from_settings("Summarise.", settings, own) == Prompt("Summarise.", TEMPLATE, message)
