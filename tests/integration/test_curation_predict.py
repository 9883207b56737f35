"""`annotune predict` against doubles of Label Studio and Ollama over HTTP, on a real Redis."""

import _thread
import base64
import json
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from contract.servers.vendor import Vendor, json_reply
from doubles import FakeOllama, serving
from label_studio_double import LabelStudioDouble
from services import annotune_command

from annotune.chat import ChatRequest, Completion
from annotune.deadline import Deadline
from annotune.errors import InUse
from annotune.extra_params import ExtraParams
from annotune.label_studio.tasks import PAGE_TASKS
from annotune.models import ModelRef
from annotune.prices import Prices
from annotune.prompt import ProjectPrompt, Prompt
from annotune.servers.ollama import OllamaClient
from annotune.servers.pool import Servers
from annotune.settings import DEFAULT_PROMPT_TEMPLATE, load_settings
from annotune.store.store import Store
from commands.main import annotune
from curation.context import CurationContext
from curation.estimate import estimate
from curation.plan import make_plan
from curation.predict import BatchPrediction

PROMPT = "Answer in one word."
TASKS = 12
VERSION = f"small@{Prompt(PROMPT, DEFAULT_PROMPT_TEMPLATE).sha[:8]}"
CHOICES = """<View><Text name="chat" value="$question"/><TextArea name="prompt" toName="chat"/>
<Choices name="mood" toName="chat"><Choice value="good"/><Choice value="bad"/></Choices></View>"""
DOSE = """<View><HyperText name="chat" value="$question"/><Number name="dose" toName="chat"/></View>"""
SEEN = """<View><Image name="chat" value="$question"/><TextArea name="response" toName="chat"/></View>"""
HYPERTEXT = """<View><HyperText name="chat" value="$question"/><TextArea name="response" toName="chat"/></View>"""
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\nrest").decode()
Annotune = Callable[..., Result]


class Scripted(FakeOllama):
    """Answers with a word; `fails` words in a prompt are answered with 500, `says` words with a text.

    `meanwhile` is called at each chat.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fails: set[str] = set()
        self.says: dict[str, str] = {}
        self.chats: list[dict[str, Any]] = []
        self.meanwhile: Callable[[int], object] = lambda _number: None

    def _chat(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.chats.append(body)
        self.meanwhile(len(self.chats))
        asked = body["messages"][-1]["content"]
        if any(word in asked for word in self.fails):
            return 500, {"error": "no memory was left"}
        status, reply = super()._chat(body)
        said = next((text for word, text in self.says.items() if word in asked), "Yes.")
        return status, reply | {"message": {"role": "assistant", "content": said}}


@pytest.fixture
def studio(double: LabelStudioDouble) -> LabelStudioDouble:
    double.add_project(4, questions=TASKS)
    return double


@pytest.fixture
def ollama() -> Iterator[Scripted]:
    double = Scripted()
    with serving(double) as double.url:
        yield double


@pytest.fixture
def store(store: Store) -> Store:
    store.prompts.add(4, ProjectPrompt(text=PROMPT, source="command", at=datetime.now(UTC)))
    return store


@pytest.fixture
def deployment(studio: LabelStudioDouble, ollama: Scripted, redis_url: str) -> dict[str, str]:
    """The environment of the command."""
    return {
        "LABEL_STUDIO_URL": studio.url,
        "LABEL_STUDIO_API_KEY": "legacy",
        "REDIS_URL": redis_url,
        "OPENAI_PROVIDER": "ollama",
        "OPENAI_MODEL": "small",
        "OLLAMA_ENDPOINT": ollama.url,
        "MODEL_CONCURRENCY": "3",
        "MAX_TOKENS": "100",
    }


@pytest.fixture
def predict(deployment: dict[str, str], store: Store) -> Annotune:
    """Runs `annotune predict 4`; keywords change its environment."""

    def invoke(*arguments: object, **changed: str) -> Result:
        return CliRunner().invoke(annotune, ["predict", "4", *map(str, arguments)], env=deployment | changed)

    return invoke


@pytest.fixture
def default_sigint() -> Iterator[None]:
    """As in a terminal: what a script puts in the background ignores SIGINT, the tests too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def settings_of(deployment: dict[str, str]) -> dict[str, str]:
    """The environment as settings."""
    return {name.lower(): value for name, value in deployment.items()}


def versions(studio: LabelStudioDouble) -> list[list[str]]:
    return [[prediction["model_version"] for prediction in task] for task in studio.predictions(4)]


# Pushing


def test_each_task_gets_one_prediction_with_prompt_answer_and_version(predict, studio, store) -> None:
    studio.submit(4, 0, "40 mg")

    result = predict()

    assert (result.exit_code, "12 predictions pushed, 0 tasks skipped, 0 failed" in result.stdout) == (0, True)
    assert versions(studio) == [[VERSION]] * TASKS
    [prediction] = studio.predictions(4)[3]
    told = {region["from_name"]: region["value"]["text"] for region in prediction["result"]}
    assert told == {"prompt": [PROMPT], "response": ["Yes."]}


def test_answers_are_logged_as_the_backend_logs_them(predict, store) -> None:
    predict()

    [answer] = store.answers.known(4, 4003)
    assert (answer.text, answer.prompt, answer.model_version, answer.typed) == ("Yes.", PROMPT, VERSION, False)


def test_run_again_it_asks_nothing(predict, studio, ollama) -> None:
    predict()
    asked = len(ollama.chats)

    again = predict()

    assert (again.exit_code, "0 predictions pushed, 12 tasks skipped" in again.stdout) == (0, True)
    assert len(ollama.chats) == asked
    assert versions(studio) == [[VERSION]] * TASKS


def test_another_version_is_no_reason_to_skip_a_task_but_with_only_missing(predict, studio) -> None:
    predict("--tasks", "4000-4001")

    other = predict("--model", "ollama:large", "--only-missing")

    assert "10 predictions pushed, 2 tasks skipped" in other.stdout
    predict("--model", "ollama:large", "--tasks", 4000)
    large = VERSION.replace("small", "large")
    assert versions(studio) == [[VERSION, large], [VERSION], *[[large]] * (TASKS - 2)]


def test_a_version_of_ours_that_is_not_there_is_told(predict) -> None:
    result = predict("--model", "v0007")

    assert (result.exit_code, "has no version v0007" in result.stderr) == (1, True)


def test_the_live_model_is_asked(predict, store, studio, ollama) -> None:
    store.live.swap(4, None, ModelRef(server="ollama", model="tuned", num_ctx=512))

    predict("--tasks", 4001)

    assert [(body["model"], body["options"]["num_ctx"]) for body in ollama.chats] == [("tuned", 512)]
    assert versions(studio)[1] == [VERSION.replace("small", "tuned")]


def test_the_parameters_of_the_connection_hold_here_too(predict, store, ollama) -> None:
    store.extra_params.set(4, ExtraParams(temperature=0.25, max_tokens=7))

    predict("--tasks", 4001)

    [options] = [body["options"] for body in ollama.chats]
    assert (options["temperature"], options["num_predict"]) == (0.25, 7)


def test_ids_and_ranges_choose_tasks(predict, studio, tmp_path: Path) -> None:
    predict("--tasks", "4001,4003-4004")
    (tmp_path / "ids").write_text("4010 # the last but one\n4011\n9999\n")

    result = predict("--tasks", f"@{tmp_path / 'ids'}")

    assert [number for number, found in enumerate(versions(studio)) if found] == [1, 3, 4, 10, 11]
    assert "of the 3 ids given, 2 are tasks of project 4" in result.stderr


@pytest.mark.parametrize(
    ("ids", "code", "said"),
    [("1,x", 2, "'x' is neither an id"), ("@/nowhere", 2, "cannot be read"), ("5", 1, "none of these tasks")],
)
def test_ids_that_name_nothing_are_told(predict, ids, code, said) -> None:
    result = predict("--tasks", ids)

    assert (result.exit_code, said in result.stderr) == (code, True), result.stderr


def test_many_pages_are_read_as_they_are_needed(predict, studio, ollama) -> None:
    studio.add_project(4, questions=2 * PAGE_TASKS + 5)
    pages: list[int] = []
    ollama.meanwhile = lambda _number: pages.append(
        sum("data" in query["include"][0] for path, _, query in studio.asked if path == "/api/tasks/")
    )

    result = predict(MODEL_CONCURRENCY="8")

    assert versions(studio) == [[VERSION]] * (2 * PAGE_TASKS + 5)
    assert (pages[0], pages[-1]) == (2, 4)  # one counts
    assert result.stdout.count(f" of {2 * PAGE_TASKS + 5}\n") == 10


def test_no_more_calls_at_once_than_the_limit(predict, ollama) -> None:
    lock, now, most = threading.Lock(), [0], [0]
    together = threading.Barrier(3)

    def meanwhile(_number: int) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        together.wait(10)  # only three at once let each other go on
        with lock:
            now[0] -= 1

    ollama.meanwhile = meanwhile

    assert predict(WORKERS="4").exit_code == 0
    assert most == [3]


def test_pictures_are_given_to_the_model_and_a_wrong_one_fails_alone(predict, studio, ollama) -> None:
    studio.add_project(4, questions=3, config=SEEN)
    studio.projects[4][0]["data"]["question"] = f"data:image/png;base64,{PIXEL}"
    studio.projects[4][1]["data"]["question"] = "http://elsewhere.example/picture.png"
    studio.projects[4][2]["data"] = {}

    result = predict()

    assert (result.exit_code, versions(studio)) == (1, [[VERSION], [], []])
    assert "task 4001: " in result.stderr
    assert [body["messages"][-1]["images"] for body in ollama.chats] == [[PIXEL]]
    shown = predict("--dry-run")
    assert "task 4002: the task's data has no field" in shown.stderr
    assert "[picture]\nhttp://elsewhere.example/picture.png" in shown.stdout


# One at a time


def test_a_second_run_at_the_same_time_is_refused_and_told_who_is_at_it(predict, studio, ollama, deployment) -> None:
    second: list[subprocess.CompletedProcess[str]] = []

    def meanwhile(number: int) -> None:
        if number == 1:
            command = [*annotune_command(), "predict", "4"]
            second.append(
                subprocess.run(command, env=os.environ | deployment, capture_output=True, text=True, check=False)
            )

    ollama.meanwhile = meanwhile

    first = predict(MODEL_CONCURRENCY="2")

    assert (first.exit_code, versions(studio)) == (0, [[VERSION]] * TASKS)
    [refused] = second
    assert (refused.returncode, refused.stdout.count("pushed")) == (1, 0)
    assert f"project 4 is being predicted by process {os.getpid()} on {socket.gethostname()} since 20" in refused.stderr


def test_another_project_and_a_dry_run_are_not_refused(predict, store, studio) -> None:
    store.leases.take(4, "predict", "another", 60)
    store.leases.take(5, "predict", "another", 60)

    assert predict("--dry-run").exit_code == 0
    assert predict().exit_code == 1
    store.leases.release(4, "predict", "another")
    assert predict().exit_code == 0


def test_a_run_that_was_killed_frees_the_project_by_its_silence(predict, store, eventually) -> None:
    store.leases.take(4, "predict", "killed", 0.5)

    eventually(lambda: predict().exit_code == 0)


def test_a_run_whose_lease_went_to_another_process_stops(deployment, store, studio, ollama: Scripted) -> None:
    settings = load_settings(**settings_of(deployment | {"MODEL_CONCURRENCY": "1"}))
    with closing(CurationContext(settings)) as context, closing(Servers(settings)) as servers:
        plan = make_plan(context, 4, model=None, ids=None, only_missing=False)
        batch = BatchPrediction(context, plan, servers, lease_lost=lambda: len(ollama.chats) >= 3)

        with pytest.raises(InUse, match="project 4"):
            batch.run()

    assert (batch.counts.pushed, sum(map(len, studio.predictions(4)))) == (2, 2)


def test_a_task_that_got_its_prediction_meanwhile_is_skipped(predict, studio, ollama, store) -> None:
    def meanwhile(number: int) -> None:
        theirs = {"id": 900 + number, "result": [], "created_at": "2026-11-23T12:00:00Z"}
        if number in {3, 5}:
            version = VERSION if number == 3 else "another"
            studio.projects[4][number - 1]["predictions"].append(theirs | {"model_version": version})

    ollama.meanwhile = meanwhile

    result = predict(MODEL_CONCURRENCY="1")

    assert (result.exit_code, "11 predictions pushed, 1 tasks skipped, 0 failed" in result.stdout) == (0, True)
    assert versions(studio)[2:5] == [[VERSION], [VERSION], ["another", VERSION]]


# Failures and interruptions


def test_a_task_that_fails_is_told_and_asked_again_the_next_time(predict, studio, ollama) -> None:
    ollama.fails = {"Question 3?", "Question 7?"}

    result = predict()

    assert (result.exit_code, "10 predictions pushed, 0 tasks skipped, 2 failed" in result.stdout) == (1, True)
    assert "4003, 4007: Ollama" in result.stderr or "4007, 4003: Ollama" in result.stderr
    assert "no memory was left" in result.stderr
    ollama.fails = set()
    assert "2 predictions pushed, 10 tasks skipped" in predict().stdout
    assert versions(studio) == [[VERSION]] * TASKS


def test_a_task_without_the_field_and_one_that_label_studio_refuses_fail_alone(predict, studio) -> None:
    studio.projects[4][2]["data"] = {"text": "no question"}
    studio.push_refusal[4005] = (500, {"detail": "database is locked"})

    result = predict()

    assert (result.exit_code, "10 predictions pushed" in result.stdout) == (1, True)
    assert "task 4002: the task's data has no field 'question'" in result.stderr
    assert "task 4005: Label Studio" in result.stderr
    assert (
        sum(path == "/api/predictions/" and not query for path, _, query in studio.asked) == 11
    )  # none was tried twice


def test_markup_that_no_browser_minds_ends_no_run(predict, studio) -> None:
    studio.add_project(4, questions=TASKS, config=HYPERTEXT)
    studio.projects[4][2]["data"]["question"] = "<p>ok</p><![foo[bar]]>"

    assert "12 predictions pushed, 0 tasks skipped, 0 failed" in predict().stdout


def test_an_odd_task_and_an_odd_answer_fail_alone(predict, studio, ollama) -> None:
    studio.add_project(4, questions=3, config=DOSE)
    studio.projects[4][1]["data"]["question"] = "half \ud83d of a pair, and <p>broken</p><![foo[bar]]>"
    ollama.says = {"Question 0?": '{"dose": 5}', "broken": '{"dose": 6}', "Question 2?": f'{{"dose": 1{"0" * 400}}}'}

    result = predict()

    assert (result.exit_code, versions(studio)) == (1, [[VERSION], [VERSION], []])
    assert "2 predictions pushed, 0 tasks skipped, 1 failed" in result.stdout
    assert "task 4002: " in result.stderr
    assert "half \ufffd of a pair" in json.dumps(ollama.chats, ensure_ascii=False)
    assert "1 tasks would be asked" in predict("--dry-run").stdout


@pytest.mark.parametrize(("arguments", "asked"), [(["--dry-run"], 0), ([], TASKS)])
def test_a_placeholder_that_names_nothing_is_told_once(
    predict, store: Store, ollama: Scripted, arguments: list[str], asked: int
) -> None:
    store.prompts.add(4, ProjectPrompt(text="Of {qestion}, {text}", source="command", at=datetime.now(UTC)))

    result = predict(*arguments)

    told = "The prompt has {qestion}, which names nothing in 12 of 12 tasks: did you mean {question}?"
    assert (result.exit_code, result.stderr.count("{qestion}"), told in result.stderr) == (0, 1, True)
    assert [chat["messages"][-1]["content"].count("Question 3?") for chat in ollama.chats if asked].count(1) == bool(
        asked
    )


class OddServer:
    """A model server with a fault that one prompt brings out."""

    capabilities = OllamaClient.capabilities

    def get(self, _name: str) -> "OddServer":
        return self

    def chat(self, request: ChatRequest, deadline: Deadline) -> Completion:
        if "Question 3?" in request.messages[-1].content:
            raise ZeroDivisionError("canary")
        return Completion("Yes.", request.model, 3, 1, seconds=deadline.left_s, finish="stop")


def test_an_unexpected_error_fails_its_own_task(deployment, store, studio, caplog) -> None:
    server: Any = OddServer()
    with closing(CurationContext(load_settings(**settings_of(deployment)))) as context:
        plan = make_plan(context, 4, model=None, ids=None, only_missing=False)
        found = estimate(plan, context.label_studio, server, prices=Prices.load())
        counts = BatchPrediction(context, plan, server, lease_lost=lambda: False).run()

    for failed in (counts.failed, found.failed):
        ((reason, tasks),) = failed.items()
        assert tasks == [4003]
        assert f"unexpected error {reason[-8:]}\nTraceback" in caplog.text
    assert (counts.pushed, found.tasks) == (TASKS - 1, TASKS - 1)


def test_a_model_server_that_is_away_ends_it_at_once(predict, studio) -> None:
    result = predict(OLLAMA_ENDPOINT="http://127.0.0.1:1")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: Ollama at http://127.0.0.1:1 is not reachable")
    assert "0 predictions pushed, 0 tasks skipped, 0 failed" in result.stdout


def test_a_model_that_is_not_there_ends_it_at_once(predict) -> None:
    with Vendor([json_reply({"error": "model 'small' not found"}, 404)]) as vendor:
        result = predict(OLLAMA_ENDPOINT=vendor.url)

    assert (result.exit_code, "has no model 'small': run 'ollama pull small'" in result.stderr) == (1, True)
    assert len(vendor.asked) < TASKS


def test_a_label_studio_that_goes_away_ends_it_and_what_was_pushed_stays(predict, studio, ollama) -> None:
    ollama.meanwhile = lambda number: studio.stop() if number == 6 else None

    result = predict(MODEL_CONCURRENCY="1")

    pushed = sum(map(len, studio.predictions(4)))
    assert (result.exit_code, "Label Studio at" in result.stderr, "is not reachable" in result.stderr) == (
        1,
        True,
        True,
    )
    assert f"{pushed} predictions pushed" in result.stdout
    assert pushed == 5
    assert len(ollama.chats) <= 7


def test_a_key_that_is_refused_ends_it_at_once(predict) -> None:
    with Vendor([json_reply({"error": {"message": "Incorrect API key"}}, 401)]) as vendor:
        result = predict("--model", "openai:gpt-9", OPENAI_BASE_URL=f"{vendor.url}/v1", OPENAI_API_KEY="wrong")

    assert (result.exit_code, "refused the key: fix OPENAI_API_KEY" in result.stderr) == (1, True)
    assert len(vendor.asked) < TASKS


def test_a_prompt_must_be_there(predict, store, redis_url) -> None:
    result = predict(REDIS_URL=redis_url.replace("/0", "/1"))

    assert (result.exit_code, "has no prompt" in result.stderr) == (1, True)


def test_a_project_whose_tasks_fetch_predictions_when_they_are_read_is_left_alone(predict, studio) -> None:
    studio.evaluating.add(4)

    result = predict("--dry-run")

    assert (result.exit_code, "evaluate_predictions_automatically" in result.stderr) == (1, True)
    assert "/api/tasks/" not in [path for path, *_ in studio.asked]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_tells_what_is_pushed_and_goes_on_the_next_time(
    predict, studio, ollama, default_sigint, number, code
) -> None:
    ollama.meanwhile = lambda chats: _thread.interrupt_main(number) if chats == 5 else None

    result = predict()

    pushed = sum(map(len, studio.predictions(4)))
    assert result.exit_code == code
    assert f"{pushed} predictions pushed" in result.stdout
    assert 0 < pushed < TASKS
    assert "run it again" in result.stderr
    ollama.meanwhile = lambda _number: None
    assert f"{TASKS - pushed} predictions pushed, {pushed} tasks skipped" in predict().stdout
    assert versions(studio) == [[VERSION]] * TASKS


# What is told of it afterwards


def told_by_status(deployment: dict[str, str]) -> str:
    """The row of the last batch."""
    result = CliRunner().invoke(annotune, ["status"], env=deployment)
    assert result.exit_code == 0, result.output
    return next((line.rstrip() for line in result.stdout.splitlines() if "last batch" in line), "")


def test_status_tells_how_the_last_run_ended(predict, deployment, ollama, store) -> None:
    ollama.fails = {"Question 3?", "Question 7?"}
    predict()

    row = told_by_status(deployment)
    assert re.search(
        rf"{TASKS} tasks at \d{{4}}-\d\d-\d\d \d\d:\d\d UTC: {TASKS - 2} answered: Ollama .*no memory", row
    )
    assert store.reports.batch(4).kind == "ModelServerError"

    ollama.fails = set()
    predict()

    assert told_by_status(deployment).endswith(" UTC: 2 answered")
    predict()
    assert told_by_status(deployment).endswith(" UTC: 2 answered"), "a run that asked nothing is none"


def test_status_tells_of_a_run_that_broke_off(predict, deployment) -> None:
    predict(OLLAMA_ENDPOINT="http://127.0.0.1:1")

    row = told_by_status(deployment)
    assert f"{TASKS} tasks" in row
    assert "0 answered: Ollama at http://127.0.0.1:1 is not reachable" in row


def test_status_tells_of_a_run_that_was_interrupted(predict, deployment, studio, ollama, default_sigint) -> None:
    ollama.meanwhile = lambda chats: _thread.interrupt_main(signal.SIGINT) if chats == 5 else None
    predict()

    pushed = sum(map(len, studio.predictions(4)))
    assert told_by_status(deployment).endswith(f" UTC: {pushed} answered: the run was interrupted")


# Dry run


def test_a_dry_run_shows_the_first_task_and_counts_without_pushing(predict, studio, ollama, store) -> None:
    predict("--tasks", 4000)
    ollama.chats.clear()

    result = predict("--dry-run")

    assert result.exit_code == 0
    assert f"task 4001 would be asked:\n[user]\n{PROMPT}\n\nQuestion 1?\n" in result.stdout
    assert "11 tasks would be asked of ollama:small" in result.stdout
    assert "1 skipped" in result.stdout
    assert "tokens in: 8 a task, 88 in total (counted on 11 tasks)" in result.stdout
    assert "tokens out: at most 100 a task, 1,100 in total" in result.stdout
    assert "cost: none" in result.stdout
    assert {body["options"]["num_predict"] for body in ollama.chats} == {1}
    assert sum(map(len, studio.predictions(4))) == 1
    assert store.answers.known(4, 4001) == []


def test_a_dry_run_shows_the_schema_and_counts_a_sample(predict, studio, ollama) -> None:
    studio.add_project(4, questions=50, config=CHOICES)

    result = predict("--dry-run", "--tasks", "4010-4049")

    assert result.stdout.count("would be asked:") == 3
    shown = result.stdout.split("[JSON schema of the answer]\n")[1].splitlines()[0]
    assert json.loads(shown)["properties"]["mood"]
    assert "(counted on 20 tasks)" in result.stdout
    assert "tokens in: about " in result.stdout
    assert len(ollama.chats) == 20
    assert "format" not in ollama.chats[0]


def test_a_dry_run_of_a_paid_model_asks_it_nothing(predict, tmp_path: Path) -> None:
    table = tmp_path / "prices.toml"
    table.write_text(
        'noted = 2026-11-01\n[usd_per_million_tokens]\n"openai:gpt-9" = { prompt = 1000, answer = 1000 }\n'
    )
    with Vendor([json_reply({}, 500)]) as vendor:
        settings = {"OPENAI_BASE_URL": f"{vendor.url}/v1", "OPENAI_API_KEY": "key"}
        priced = predict("--dry-run", "--model", "openai:gpt-9", "--prices", table, **settings)
        unpriced = predict("--dry-run", "--model", "openai:gpt-9", **settings)

    assert vendor.asked == []
    tokens = sum(len(f"{PROMPT}\n\nQuestion {number}?") for number in range(TASKS)) / 4
    assert f"about {tokens:,.0f} in total (about 4 characters a token)" in priced.stdout
    assert f"cost: at most about {(tokens + TASKS * 100) / 1000:,.2f} USD" in priced.stdout
    assert "cost: no price known for openai:gpt-9" in unpriced.stdout


def test_a_dry_run_without_a_model_server_estimates_and_says_so(predict) -> None:
    result = predict("--dry-run", OLLAMA_ENDPOINT="http://127.0.0.1:1")

    assert result.exit_code == 0
    assert "could not be counted: Ollama at http://127.0.0.1:1 is not reachable" in result.stderr
    assert "(about 4 characters a token)" in result.stdout
