"""Projects made from templates, over HTTP to a double of Label Studio."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from label_studio_double import LabelStudioDouble

from annotune.store.store import Store
from commands.main import annotune
from curation.templates import find_template

URL = "http://localhost:9090"
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(double: LabelStudioDouble, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("project", "list")`: the exit code and the output."""
    environment = {
        "LABEL_STUDIO_URL": double.url,
        "LABEL_STUDIO_API_KEY": "legacy",
        "REDIS_URL": redis_url,
        "BACKEND_URL": URL,
        "RUNS_DIR": str(tmp_path / "runs"),
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def invoke(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(annotune, arguments)
        return result.exit_code, result.output

    return invoke


def test_a_project_is_made_connected_and_given_its_prompt_once(
    run: Run, double: LabelStudioDouble, store: Store
) -> None:
    code, output = run("project", "create", "medchat")

    assert code == 0, output
    template = find_template("medchat")
    assert double.configs == {1: template.config}
    assert [backend["url"] for backend in double.backends[1]] == [URL]
    assert store.options.get(1).fills == ("response",)
    assert [version.text for version in store.prompts.versions(1)] == [template.prompt]
    assert f"open it: {double.url}/projects/1" in output

    code, again = run("project", "create", "medchat")

    assert (code, len(double.projects), len(double.backends[1]), len(double.webhooks[1])) == (0, 1, 1, 1)
    assert "was there already: nothing changed" in again
    assert len(store.prompts.versions(1)) == 1


def test_what_an_earlier_try_left_undone_is_done(run: Run, double: LabelStudioDouble, store: Store) -> None:
    double.add_project(1, config=find_template("questions").config)
    double.titles[1] = find_template("questions").title

    code, output = run("project", "create", "questions")

    assert (code, list(double.projects)) == (0, [1]), output
    assert "added the backend" in output
    assert store.options.get(1).template == "questions"


def test_what_people_changed_since_stays(run: Run, double: LabelStudioDouble, store: Store) -> None:
    run("project", "create", "answers")
    double.configs[1] = double.configs[1].replace("Answer", "Reply")
    run("project", "fills", "1", "response")
    store.prompts.set_system(1, "Be kind.")

    code, output = run("project", "create", "answers")

    assert (code, store.prompts.system(1)) == (0, "Be kind.")
    assert "nothing changed" in output


def test_another_project_of_that_title_is_left_alone(run: Run, double: LabelStudioDouble) -> None:
    double.add_project(1)
    double.titles[1] = "Mine"

    code, output = run("project", "create", "medchat", "--title", "Mine")

    assert code == 2
    assert "give --title another one" in output
    assert list(double.projects) == [1]


def test_a_template_of_ones_own_makes_a_project_too(run: Run, double: LabelStudioDouble, tmp_path: Path) -> None:
    own = tmp_path / "templates" / "contracts"
    own.mkdir(parents=True)
    shipped = find_template("questions").folder
    for path in shipped.iterdir():
        text = path.read_text(encoding="utf-8").replace("Questions from texts", "Contracts")
        (own / path.name).write_text(text, encoding="utf-8")

    code, output = run("project", "create", "contracts", "--from", str(tmp_path / "templates"), "--title", "Contracts")

    assert (code, double.titles) == (0, {1: "Contracts"}), output


def test_accepted_answers_become_a_project_for_experts(run: Run, double: LabelStudioDouble, store: Store) -> None:
    double.add_project(4, questions=2)
    double.submit_all(4)

    code, output = run("project", "create", "review", "--from", "4")
    again = run("project", "create", "review", "--from", "4")

    assert code == 0, output
    assert [task["data"]["question"] for task in double.projects[5]] == ["Question 0?", "Question 1?"]
    assert (store.options.get(5).reviews, store.options.get(5).fills) == (4, ())
    assert double.backends == {}
    assert "nothing changed" in again[1]
    assert len(double.projects[5]) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("project", "create", "medical"), 1, "no template 'medical': choose one of"),
        (("project", "create", "medchat", "--from", "nowhere"), 1, "no folder 'nowhere'"),
        (("project", "create", "review"), 2, "give its number"),
        (("project", "create", "review", "--from", "99"), 1, "project 99"),
        (("project", "create", "medchat", "--from", "4"), 2, "leave it out"),
        (("project", "fills", "4", "reply"), 1, "no such control"),
        (("project", "fills", "99"), 1, "project 99"),
    ],
)
def test_a_mistake_is_one_sentence(
    run: Run, double: LabelStudioDouble, arguments: tuple[str, ...], code: int, words: str
) -> None:
    double.add_project(4)

    given, output = run(*arguments)

    assert (given, len(output.strip().splitlines())) == (code, 1), output
    assert words in output
    assert list(double.projects) == [4]


def test_the_list_shows_every_project(run: Run, double: LabelStudioDouble) -> None:
    double.add_project(4, questions=3)
    double.submit(4, 0, "An answer")
    run("project", "create", "medchat")

    code, output = run("project", "list")

    assert code == 0
    rows = [line.split() for line in output.splitlines()[1:]]
    assert rows[0] == ["4", "Project", "4", "-", "3", "1", "-", "not", "connected"]
    assert rows[1][:6] == ["5", "Medical", "chat", "medchat", "0", "0"]


def test_no_network_is_one_sentence(run: Run, double: LabelStudioDouble) -> None:
    double.stop()

    code, output = run("project", "create", "medchat")

    assert (code, len(output.strip().splitlines())) == (1, 1)
    assert "is not reachable" in output
