"""The faults of Label Studio's `llm_interactive` example (d02cedf) do not occur here."""

import math
from datetime import UTC, datetime

import pytest
from fake_model import SIMPLE, Backend, FakeModel, FakePool, MakeBackend, region, task, texts

from annotune.chat import Token
from annotune.errors import ModelServerError
from annotune.models import ModelRef, ModelVersion
from annotune.prompt import ProjectPrompt
from annotune.servers.concurrency import LimitedServer
from annotune.settings import Settings
from backend.app import create_app
from backend.server import REPLY_MARGIN_S, WebServer
from backend.web_worker import WebWorker

AT = datetime(2026, 1, 1, tzinfo=UTC)
SETUP = {"project": 4, "schema": SIMPLE}


def told(backend: Backend) -> str:
    return backend.send("/setup", SETUP).json["model_version"]


def test_row_01_a_wrong_key_is_asked_once_and_never_again(make_backend: MakeBackend) -> None:
    fake = FakeModel(broken=ModelServerError("openai at http://fake refused the key: fix OPENAI_API_KEY"))
    parts = make_backend()
    limited = FakePool(LimitedServer(fake, 1))  # type: ignore[arg-type]
    app = create_app(Settings(default_prompt="Go"), store=parts.store, servers=limited, jobs=parts.jobs)
    reply = Backend(app, fake, parts.store, parts.jobs).predict(task())

    assert reply.status == "503 openai at http://fake refused the key: fix OPENAI_API_KEY"
    assert len(fake.requests) == 1


TOPICS = """<View><Text name="chat" value="$question"/><TextArea name="prompt" toName="chat"/>
<Choices name="topic" toName="chat" smart="false"><Choice value="sports"/><Choice value="health"/></Choices></View>"""


def test_row_02_a_refusal_is_no_label(backend: Backend) -> None:
    backend.model.say = lambda _: "I'm sorry, I can't help with that."
    reply = backend.predict(task(), editor=[region("prompt", "Choose")], config=TOPICS)

    assert reply.status_code == 503
    assert "do not fit" in reply.json["error"]


@pytest.mark.parametrize(
    "prompt", ['Answer as {"topic": "..."}', "{text.__class__.__mro__}", "{x:>99999999}", "{", "{}", "{0}", "{unknown}"]
)
def test_row_03_braces_in_a_prompt_are_plain_text(backend: Backend, prompt: str) -> None:
    assert texts(backend.predict(task(), editor=[region("prompt", prompt)])) == [{"response": ["answer 1"]}]
    assert prompt in backend.model.requests[0].messages[-1].content


def test_row_03_the_tasks_values_are_never_read_as_placeholders(backend: Backend) -> None:
    asked = task() | {"data": {"question": "{secret} {prompt}", "secret": "x"}}
    backend.predict(asked, editor=[region("prompt", "Explain")])

    assert "{secret} {prompt}" in backend.model.requests[0].messages[-1].content


def test_row_04_two_settings_live_in_one_process(make_backend: MakeBackend) -> None:
    first, second = make_backend(openai_model="one"), make_backend(openai_model="two")

    assert (told(first), told(second)) == ("one", "two")


def test_row_05_no_key_and_no_body_is_logged(make_backend: MakeBackend, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    secrets = {"openai_api_key": "canary-1", "label_studio_api_key": "canary-2", "webhook_secret": "canary-3"}
    backend = make_backend(default_prompt="canary-4", basic_auth_user="u", basic_auth_pass="canary-5", **secrets)
    for path in ("/setup", "/predict", "/webhook"):
        backend.send(path, {"project": "canary-6"}, Authorization="Basic canary-7")
    backend.app.extensions["health"].check()

    assert "canary" not in caplog.text
    assert "canary" not in backend.get("/health").text


def test_row_06_a_score_is_the_models_own_or_none(backend: Backend) -> None:
    (bare,) = backend.predict(task(1)).json["results"]
    backend.model.logprobs = (Token("answer", math.log(0.5)), Token(" 2", math.log(0.125)))
    (sure,) = backend.predict(task(2)).json["results"]

    assert "score" not in bare
    assert sure["score"] == pytest.approx(0.25)


def test_row_07_a_mistake_in_the_config_is_an_error_and_no_empty_prediction(backend: Backend) -> None:
    config = SIMPLE.replace('toName="chat" smart', 'toName="chta" smart')
    reply = backend.predict(task(), config=config)

    assert reply.status_code == 400
    assert "chta" in reply.status


def test_row_08_a_picture_is_fetched_from_nowhere_but_where_it_may_come_from(backend: Backend) -> None:
    config = SIMPLE.replace("<Text ", "<Image ")
    reply = backend.predict(task(question="http://169.254.169.254/latest/meta-data"), config=config)

    assert reply.status_code == 400
    assert "IMAGE_HOSTS" in reply.json["error"]
    assert backend.model.requests == []


def test_row_08_a_text_is_never_fetched(backend: Backend) -> None:
    address = "http://169.254.169.254/latest/meta-data"

    assert backend.predict(task(question=address)).status_code == 200
    assert address in backend.model.requests[0].messages[-1].content


def test_row_09_a_line_taken_out_of_a_prompt_is_a_change(backend: Backend) -> None:
    backend.store.prompts.add(4, ProjectPrompt(text="Be brief.\nBe kind.", source="command", at=AT))
    before = told(backend)
    backend.store.prompts.add(4, ProjectPrompt(text="Be brief.", source="command", at=AT))

    assert told(backend) != before


@pytest.mark.parametrize("context", [{}, {"result": None}, [], "x"])
def test_row_10_a_context_without_its_field_is_400_and_names_it(backend: Backend, context: object) -> None:
    body = {"tasks": [task()], "project": 4, "label_config": SIMPLE, "params": {"context": context}}
    reply = backend.send("/predict", body)

    assert reply.status_code == 400
    assert "context" in reply.status


def test_row_11_every_version_has_a_name_of_its_own(backend: Backend) -> None:
    versions = [
        ModelVersion(
            project=4,
            number=number,
            model=f"annotune/main-p4:v000{number}-abcdef1{number}",
            digest="d",
            run="r",
            created_at=AT,
            num_ctx=512,
            state="promoted",
        )
        for number in (1, 2)
    ]
    for version in versions:
        backend.store.versions.save(version)
    backend.store.live.swap(4, None, versions[0].ref)
    backend.store.live.swap(4, versions[0].ref, versions[1].ref)
    names = [name.partition("@")[0] for name in backend.get("/versions").json["versions"]]

    assert names == [versions[1].model, versions[0].model]
    assert told(backend).partition("@")[0] == names[0]


def test_row_12_extra_params_may_be_an_object(backend: Backend) -> None:
    assert backend.replay("setup").status_code == 200


@pytest.mark.parametrize("path", ["/setup", "/predict", "/webhook"])
def test_row_13_nothing_from_inside_leaks(backend: Backend, path: str) -> None:
    for body in (b"", b"[]", b"{}", b'{"action": {}}'):
        reply = backend.send(path, body)

        assert reply.is_json
        assert "Traceback" not in reply.text
        assert ".py" not in reply.text


def test_row_14_workers_agree_after_a_write(make_backend: MakeBackend) -> None:
    one, other = make_backend(), make_backend()
    assert told(other) == "base"
    one.store.live.swap(4, None, ModelRef(server="ollama", model="tuned"))
    one.store.prompts.add(4, ProjectPrompt(text="New", source="command", at=AT))

    assert told(one) == told(other)
    assert told(other).startswith("tuned@")


def test_row_15_the_model_is_told_the_labels(backend: Backend) -> None:
    backend.model.say = lambda _: '{"topic": "health"}'
    (result,) = backend.predict(task(), config=TOPICS).json["results"]

    assert '"topic": one of "sports", "health"' in backend.model.requests[0].messages[-1].content
    assert result["result"][-1]["value"] == {"choices": ["health"]}


def test_row_16_the_interactive_mode_answers_what_was_typed(backend: Backend) -> None:
    backend.model.say = lambda request: request.messages[-1].content.upper()

    assert texts(backend.predict(task(), editor=[region("prompt", "Say it loud")])) == [
        {"response": ["SAY IT LOUD\n\nWHY?"]}
    ]


def test_row_17_a_worker_that_hangs_is_ended_soon_after_the_deadline() -> None:
    server = WebServer(Settings(model_deadline_s=90), "127.0.0.1", 9090)

    assert server.cfg.timeout == 90 + REPLY_MARGIN_S
    assert server.cfg.worker_class is WebWorker
