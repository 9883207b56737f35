"""What `/predict` answers in each mode."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

import pytest
from fake_model import SIMPLE, Backend, FakeModel, FakePool, MakeBackend, region, task, texts

from annotune.chat import ChatRequest
from annotune.errors import AnswerRefused, ModelServerUnreachable, NotFound
from annotune.labeling.regions import region_text
from annotune.models import ModelRef
from annotune.prompt import ProjectPrompt
from annotune.settings import Settings
from backend.model import Model
from backend.requests import Task
from backend.services import Services

NOISE = [
    [],
    [region("prompt", "")],
    [region("prompt", " \n")],
    [region("response", "an answer")],
    [{"id": "x"}],
    [{"from_name": "prompt", "value": {"choices": ["a"]}}],
    [{"from_name": "prompt", "value": None}],
]
Eventually = Callable[..., object]
AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("editor", NOISE)
def test_a_screen_without_a_prompt_changes_nothing_and_asks_nobody(backend: Backend, editor: list) -> None:
    assert texts(backend.predict(task(), editor=editor)) == [{}]
    assert backend.model.requests == []


def test_a_config_without_a_prompt_control_asks_nobody_while_a_person_works(backend: Backend) -> None:
    config = '<View><Text name="chat" value="$question"/><TextArea name="response" toName="chat"/></View>'

    assert texts(backend.predict(task(), editor=[region("prompt", "Explain")], config=config)) == [{}]
    assert texts(backend.predict(task(), config=config)) == [{"response": ["answer 1"]}]


def test_the_projects_prompt_outranks_the_default_one(backend: Backend) -> None:
    backend.store.prompts.add(4, ProjectPrompt(text="Our own", source="command", at=AT))

    assert texts(backend.predict(task())) == [{"prompt": ["Our own"], "response": ["answer 1"]}]


def test_a_prompt_keeps_its_placeholders_in_its_region_and_loses_them_on_the_way(make_backend: MakeBackend) -> None:
    backend = make_backend(default_prompt="Say {question} in {style}", prompt_template="{prompt}")

    assert texts(backend.predict(task()))[0]["prompt"] == ["Say {question} in {style}"]
    assert backend.model.requests[0].messages[-1].content == "Say Why? in {style}"


def test_typing_a_prompt_leaves_the_projects_as_it_was(backend: Backend) -> None:
    before = backend.send("/setup", {"project": 4, "schema": SIMPLE}).json
    backend.predict(task(), editor=[region("prompt", "Only a try")])

    assert backend.send("/setup", {"project": 4, "schema": SIMPLE}).json == before


def test_the_live_pointer_answers_at_once_without_a_restart(backend: Backend) -> None:
    ours = ModelRef(server="ollama", model="annotune/main-p4:v0001-abcdef12", version="v0001", num_ctx=512)
    backend.store.live.swap(4, None, ours)
    reply = backend.predict(task())

    assert reply.json["results"][0]["model_version"].startswith("annotune/main-p4:v0001-abcdef12@")
    assert (backend.model.requests[0].model, backend.model.requests[0].num_ctx) == (ours.model, 512)


def test_two_projects_have_each_their_own_model(backend: Backend) -> None:
    backend.store.live.swap(5, None, ModelRef(server="openai", model="teacher"))
    told = [backend.send("/setup", {"project": number, "schema": SIMPLE}).json["model_version"] for number in (4, 5)]

    assert [version.partition("@")[0] for version in told] == ["base", "teacher"]


def test_the_version_changes_with_the_prompt_and_with_nothing_else(backend: Backend) -> None:
    def told() -> str:
        return backend.send("/setup", {"project": 4, "schema": SIMPLE}).json["model_version"]

    first = told()
    backend.predict(task())

    assert told() == first
    backend.store.prompts.add(4, ProjectPrompt(text="New", source="command", at=AT))
    assert told() != first


def test_without_any_prompt_setup_tells_the_bare_model(make_backend: MakeBackend) -> None:
    assert make_backend().send("/setup", {"project": 4, "schema": SIMPLE}).json == {"model_version": "base"}


def test_several_answers_are_one_region_with_the_distinct_texts(make_backend: MakeBackend) -> None:
    lines = iter(["one", "two", "one "])
    lock = threading.Lock()

    def say(_: ChatRequest) -> str:
        with lock:
            return next(lines)

    backend = make_backend(num_responses=3, model=FakeModel(say=say))
    (shown,) = texts(backend.predict(task(), editor=[region("prompt", "Explain")]))

    assert sorted(shown["response"]) == ["one", "two"]


def test_the_tasks_of_a_batch_are_asked_side_by_side(backend: Backend) -> None:
    together = threading.Barrier(4, timeout=10)
    backend.model.say = lambda _: f"with {together.wait() >= 0}"

    assert len(texts(backend.predict(*[task(number) for number in range(4)]))) == 4


def test_a_task_that_is_opened_twice_at_once_costs_one_answer(backend: Backend, eventually: Eventually) -> None:
    go_on = threading.Event()
    backend.model.say = lambda _: f"once {go_on.wait(10)}"
    settings = Settings(default_prompt="Answer briefly")
    services = Services.of(settings, store=backend.store, servers=FakePool(backend.model), jobs=backend.jobs)
    opened = partial(Model(4, SIMPLE, services).predict, [Task(id=1, data={"question": "Why?"})])

    def somebody_waits() -> bool:
        return any(running._condition._waiters for running in services.model_calls._running.values())

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(opened), pool.submit(opened)]
        eventually(somebody_waits)
        go_on.set()

    assert [region_text(only.result, "response") for (only,) in (call.result() for call in both)] == ["once True"] * 2
    assert len(backend.model.requests) == 1


def test_a_task_that_fails_is_an_item_with_its_error_and_the_rest_is_kept(backend: Backend) -> None:
    def say(request: ChatRequest) -> str:
        if "bad" in request.messages[-1].content:
            raise AnswerRefused("Ollama at http://fake broke off its answer")
        return "fine"

    backend.model.say = say
    first, second, third = backend.predict(task(1), task(2, "bad"), task(3)).json["results"]

    assert second == {"error": "Ollama at http://fake broke off its answer"}
    assert [region_text(item["result"], "response") for item in (first, third)] == ["fine", "fine"]


NUMBERS = """<View><Text name="chat" value="$question"/><Number name="n" toName="chat"/>
<Rating name="r" toName="chat"/></View>"""
ODD = ["1" * 400, "1" * 5000, "-" + "9" * 400, "1e999", "NaN", "[1]", '{"n": 1}']


@pytest.mark.parametrize("answer", ['{"n": ODD, "r": 3}', '{"n": 1, "r": ODD}'], ids=["number", "rating"])
@pytest.mark.parametrize("odd", ODD, ids=lambda odd: f"{odd[:9]} {len(odd)}")
def test_a_number_that_no_browser_holds_fails_its_own_task(backend: Backend, odd: str, answer: str) -> None:
    good, evil = '{"n": 1, "r": 3}', answer.replace("ODD", odd)
    backend.model.say = lambda asked: evil if "evil" in str(asked.messages) else good
    first, second, third = backend.predict(task(1), task(2, "evil"), task(3), config=NUMBERS).json["results"]

    assert "two answers do not fit" in second["error"]
    assert [item["value"] for item in first["result"]] == [{"number": 1}, {"rating": 3}]
    assert third["result"]


def test_where_no_task_is_answered_the_batch_is_an_error(backend: Backend) -> None:
    backend.model.broken = AnswerRefused("Ollama at http://fake broke off its answer")
    reply = backend.predict(task(1), task(2))

    assert reply.status == "503 Ollama at http://fake broke off its answer"


def test_a_server_that_is_away_is_not_asked_for_every_task(make_backend: MakeBackend) -> None:
    away = FakeModel(broken=ModelServerUnreachable("Ollama at http://fake is not reachable"))
    backend = make_backend(default_prompt="Go", model=away, model_concurrency=2)

    assert backend.predict(*[task(number) for number in range(100)]).status_code == 503
    assert len(away.requests) <= 2


def test_a_task_without_the_field_harms_no_other(backend: Backend) -> None:
    good, bad = backend.predict(task(1), {"id": 2, "data": {"other": "x"}}).json["results"]

    assert "result" in good
    assert "no field 'question'" in bad["error"]


@pytest.mark.parametrize("editor", ["batch", [region("prompt", "Explain")]])
def test_an_empty_answer_is_an_error_and_never_a_prediction(backend: Backend, editor: object) -> None:
    backend.model.say = lambda _: " \n"
    reply = backend.predict(task(), editor=editor)

    assert reply.status_code == 503
    assert "empty text" in reply.json["error"]


def test_a_cut_answer_is_given_and_the_log_says_so(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    backend.model.finish = "length"

    assert texts(backend.predict(task(), editor=[region("prompt", "Explain")])) == [{"response": ["answer 1"]}]
    assert "MAX_TOKENS" in caplog.text


def test_a_model_that_the_server_lacks_is_503_and_no_missing_route(backend: Backend) -> None:
    backend.model.broken = NotFound(
        "Ollama at http://fake has no model 'base': run 'ollama pull base', or choose another"
    )
    reply = backend.predict(task())

    assert reply.status_code == 503
    assert "ollama pull base" in reply.status


def test_the_whole_request_has_one_deadline(make_backend: MakeBackend) -> None:
    backend = make_backend(default_prompt="Go", model_deadline_s=30)
    backend.predict(task(1), task(2))

    assert all(0 < left <= 30 for left in backend.model.deadlines)


def test_no_tasks_have_no_results(backend: Backend) -> None:
    assert backend.predict().json == {"results": []}


def test_a_paragraphs_dialogue_is_read_as_text(backend: Backend) -> None:
    config = SIMPLE.replace(
        '<Text name="chat" value="$question"/>', '<Paragraphs name="chat" value="$talk" nameKey="role"/>'
    )
    talk = [{"role": "user", "text": "Hello"}, {"role": "doctor", "text": "Good day"}]
    backend.predict({"id": 1, "data": {"talk": talk}}, config=config)

    assert "user: Hello\ndoctor: Good day" in backend.model.requests[0].messages[-1].content
