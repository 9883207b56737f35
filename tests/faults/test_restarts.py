"""Parts are killed, stopped and restarted while people work: nothing is lost, and the live version goes on answering.

`make faults`. Two projects are really trained.
"""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from hospital import TRAINING_S, Hospital, make_project, submit_all
from services import Eventually

from embedded.annotator import Annotator
from embedded.formulary import formulary

ARTICLE_SECOND = (Path(__file__).resolve().parents[1] / "data" / "article" / "project2.xml").read_text(encoding="utf-8")
SECOND_PROMPT = "Reply as our formulary does."
ANEW_S = 180
SAME_WEBHOOKS = 50


RESTARTS: dict[str, Callable[[Hospital], None]] = {
    "backend": lambda all_: (all_.deployment.backend.stop(), all_.deployment.start_backend())[0],
    "backend killed": lambda all_: (all_.deployment.backend.stop(grace_s=0), all_.deployment.start_backend())[0],
    "worker": lambda all_: (all_.deployment.worker.stop(), all_.deployment.start_worker())[0],
    "redis": lambda all_: all_.redis.restart(),
    "model server": lambda all_: all_.ollama.restart(),
}


@pytest.mark.parametrize("restart", RESTARTS.values(), ids=RESTARTS.keys())
def test_the_live_version_answers_after_a_restart_of(restart: Callable[[Hospital], None], hospital: Hospital) -> None:
    hospital.answers_as_before()
    restart(hospital)
    hospital.answers_as_before()


def test_the_last_known_version_answers_while_redis_is_away(hospital: Hospital) -> None:
    hospital.answers_as_before()
    hospital.redis.stop()
    try:
        hospital.answers_as_before()
        event = {"action": "ANNOTATION_CREATED", "project": {"id": hospital.first.id}}
        assert httpx.post(f"{hospital.deployment.url}/webhook", json=event).status_code == httpx.codes.OK
    finally:
        hospital.redis.start()


def test_a_second_project_survives_a_killed_worker_and_a_redis_away_at_its_end(
    hospital: Hospital, eventually: Eventually
) -> None:
    """Meanwhile one more is annotated, and its webhook comes fifty times: one run, and it is in the next dataset."""
    store, deployment = hospital.store, hospital.deployment
    pairs = formulary(11, 19)
    second = make_project(hospital.label_studio, "Second", ARTICLE_SECOND, "text", pairs)
    deployment.run("connect", str(second.id))
    submit_all(hospital.label_studio, second, SECOND_PROMPT, pairs[:-1])
    with Annotator(hospital.label_studio, second.id) as person:
        deployment.run("train", str(second.id), "--no-wait")

        def training() -> str | None:
            told = store.training.progress(second.id)
            return told.run if told and told.stage == "train" and told.step else None

        killed = eventually(training, TRAINING_S)
        deployment.worker.stop(grace_s=0)
        deployment.start_worker()
        assert eventually(lambda: (anew := training()) and anew != killed and anew, ANEW_S)

        late = person.submit(second.tasks[-1], SECOND_PROMPT, pairs[-1].answer)
        event = {
            "action": "ANNOTATION_CREATED",
            "project": {"id": second.id},
            "task": {"id": second.tasks[-1]},
            "annotation": {"id": late, "result": []},
        }
        for _ in range(SAME_WEBHOOKS):
            assert httpx.post(f"{deployment.url}/webhook", json=event).status_code == httpx.codes.OK

    eventually(lambda: (told := store.training.progress(second.id)) and told.stage in {"register", "gates"}, TRAINING_S)
    hospital.redis.restart()
    [run] = eventually(lambda: store.runs.all(second.id), TRAINING_S)

    assert run.state == "promoted", run.reason
    assert run.id != killed
    assert late not in run.annotations
    assert hospital.ask(second, SECOND_PROMPT).model_version.startswith(f"annotune/faults-p{second.id}:")
    hospital.answers_as_before()
    eventually(lambda: (tally := store.changes.summary(second.id)) and tally.new == 1, TRAINING_S)
    assert len(store.runs.all(second.id)) == 1
