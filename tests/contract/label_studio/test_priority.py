"""People's questions go before those of batches."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from fake_model import Backend, FakeModel, FakePool, MakeBackend, region, task, texts

from annotune.chat import ChatRequest
from annotune.servers.concurrency import LimitedServer
from annotune.settings import Settings
from backend.app import create_app

Eventually = Callable[..., object]


def test_a_person_waits_for_at_most_one_call_of_a_batch_of_250(
    make_backend: MakeBackend, eventually: Eventually
) -> None:
    order: list[str] = []
    turn = threading.Semaphore(0)

    def say(request: ChatRequest) -> str:
        asked = "person" if "Explain" in request.messages[-1].content else "batch"
        order.append(asked)
        assert turn.acquire(timeout=30)
        return "x"

    fake, parts = FakeModel(say=say), make_backend()
    limited = LimitedServer(fake, 1)
    settings = Settings(default_prompt="Go", model_concurrency=4)
    app = create_app(settings, store=parts.store, servers=FakePool(limited), jobs=parts.jobs)  # type: ignore[arg-type]
    backend = Backend(app, fake, parts.store, parts.jobs)
    with ThreadPoolExecutor(2) as people:
        batch = people.submit(backend.predict, *[task(number) for number in range(250)])
        turn.release(10)
        eventually(lambda: len(order) > 10)
        person = people.submit(backend.predict, task(1000), editor=[region("prompt", "Explain")])
        eventually(lambda: limited._places._waiting[True])
        before = len(order)
        turn.release()
        eventually(lambda: "person" in order)
        turn.release(300)

        assert order.index("person") == before  # the very next call after the one that ran
        assert texts(person.result()) == [{"response": ["x"]}]
        assert len(texts(batch.result())) == 250
