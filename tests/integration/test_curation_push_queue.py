"""Predictions pushed together, against a double of Label Studio over HTTP, on a real Redis."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from label_studio_double import LabelStudioDouble, region

from annotune.answer import Answer
from annotune.errors import InUse, LabelStudioUnreachable
from annotune.label_studio.tasks import PAGE_TASKS
from annotune.labeling.prediction import Prediction
from annotune.prompt import ProjectPrompt
from annotune.settings import Settings
from annotune.store.store import Store
from curation.context import CurationContext
from curation.plan import Plan, make_plan
from curation.push_queue import FEWEST_TOGETHER, Answered, PredictionPush, PushQueue, PushReport

TASKS = 2 * FEWEST_TOGETHER
SINGLY, TOGETHER = "/api/predictions/", "/api/projects/4/import/predictions"
BETTER = """<View><Text name="chat" value="$question"/><Text name="other" value="$question"/>
<TextArea name="prompt" toName="chat"/><Pairwise name="better" toName="chat,other"/></View>"""


@pytest.fixture
def context(double: LabelStudioDouble, store: Store, redis_url: str) -> Iterator[CurationContext]:
    double.add_project(4, questions=TASKS)
    store.prompts.add(4, ProjectPrompt(text="Answer.", source="command", at=datetime.now(UTC)))
    settings: dict[str, Any] = {
        "label_studio_url": double.url,
        "label_studio_api_key": "legacy",
        "redis_url": redis_url,
    }
    with closing(CurationContext(Settings(**settings, openai_provider="ollama", openai_model="small"))) as made:
        yield made


class Outcome:
    """What came of each task."""

    def __init__(self) -> None:
        self.pushed: list[int] = []
        self.skipped = 0
        self.failed: dict[int, str] = {}

    def report(self) -> PushReport:
        def skip() -> None:
            self.skipped += 1

        return PushReport(
            lambda each: self.pushed.append(each.task), skip, lambda task, error: self.failed.update({task: str(error)})
        )


@pytest.fixture
def outcome() -> Outcome:
    return Outcome()


@pytest.fixture
def plan(context: CurationContext) -> Plan:
    return make_plan(context, 4, model=None, ids=None, only_missing=False)


@pytest.fixture
def push(context: CurationContext, plan: Plan, outcome: Outcome) -> Callable[..., None]:
    """Push predictions of the tasks with these numbers."""

    def invoke(numbers: range, lost: bool = False, control: str = "response") -> None:
        PredictionPush(context, plan, outcome.report(), lease_lost=lambda: lost).push(
            [answered(4000 + number, plan, control) for number in numbers]
        )

    return invoke


def answered(task: int, plan: Plan, control: str = "response") -> Answered:
    at = datetime.now(UTC)
    answer = Answer(project=4, task=task, prompt="Answer.", prompt_sha="s", text="Yes.", model_version="m", at=at)
    return Answered(task, Prediction((region(control, "Yes."),), plan.model_version), [answer], cut=False)


def pushes(double: LabelStudioDouble) -> Counter[str]:
    return Counter(path for path, _, query in double.asked if path in {SINGLY, TOGETHER} and not query)


def test_many_go_in_one_request_after_one_check(push, double, outcome, store) -> None:
    double.asked.clear()

    push(range(TASKS))

    assert [path for path, *_ in double.asked] == ["/api/tasks/", TOGETHER]
    assert outcome.pushed == [4000 + number for number in range(TASKS)]
    assert [len(task) for task in double.predictions(4)] == [1] * TASKS
    assert [answer.text for answer in store.answers.known(4, 4003)] == ["Yes."]


def test_few_go_singly(push, double, outcome) -> None:
    push(range(FEWEST_TOGETHER - 1))

    assert pushes(double) == {SINGLY: FEWEST_TOGETHER - 1}


def test_one_that_is_refused_costs_no_other(push, double, outcome) -> None:
    double.push_refusal[4005] = (500, {"detail": "no"})
    del double.projects[4][7]
    double.projects[4][2]["predictions"].append(
        {"id": 900, "result": [], "model_version": "another", "created_at": "2026-11-23T12:00:00Z"}
    )

    push(range(TASKS))

    assert (sorted(outcome.failed), "answered 500" in outcome.failed[4005]) == ([4005, 4007], True)
    assert "deleted" in outcome.failed[4007]
    assert len(outcome.pushed) == TASKS - 2
    assert sorted({len(task) for task in double.predictions(4)}) == [0, 1, 2]


def test_one_that_is_there_meanwhile_is_skipped(push, double, plan, outcome) -> None:
    theirs = {"id": 900, "result": [], "model_version": plan.model_version, "created_at": "2026-11-23T12:00:00Z"}
    double.projects[4][3]["predictions"].append(theirs)

    push(range(TASKS))

    assert (outcome.skipped, len(outcome.pushed)) == (1, TASKS - 1)
    assert [len(task) for task in double.predictions(4)] == [1] * TASKS


def test_what_label_studio_leaves_out_goes_singly(push, double, outcome) -> None:
    """Its check is the SDK's, which refuses what the editor itself stores for some controls."""
    push(range(TASKS), control="elsewhere")

    assert pushes(double) == {TOGETHER: 1, SINGLY: TASKS}
    assert [len(task) for task in double.predictions(4)] == [1] * TASKS


def test_what_the_sdk_cannot_check_is_not_tried_together(context, double, outcome) -> None:
    double.configs[4] = BETTER
    plan = make_plan(context, 4, model=None, ids=None, only_missing=False)
    many = [answered(4000 + number, plan) for number in range(TASKS)]

    PredictionPush(context, plan, outcome.report(), lease_lost=lambda: False).push(many)

    assert (pushes(double), len(outcome.pushed)) == ({SINGLY: TASKS}, TASKS)


def test_a_push_without_an_answer_is_not_tried_again(push, double, outcome) -> None:
    double.push_refusal[4005] = (504, {"detail": "the proxy waited"})

    push(range(TASKS))

    assert (pushes(double), len(outcome.failed)) == ({TOGETHER: 1}, TASKS)


def test_what_ends_a_batch_is_raised(push, double, outcome) -> None:
    with pytest.raises(InUse, match="project 4"):
        push(range(TASKS), lost=True)
    double.stop()
    with pytest.raises(LabelStudioUnreachable):
        push(range(TASKS))

    assert (outcome.pushed, outcome.failed) == ([], {})


# The queue


def test_what_comes_during_a_push_goes_with_the_next(plan) -> None:
    batches: list[list[int]] = []
    begun, go_on = threading.Event(), threading.Event()

    def push(batch: list[Answered]) -> None:
        batches.append([each.task for each in batch])
        begun.set()
        assert go_on.wait(30)

    queue = PushQueue(push)  # type: ignore[arg-type]
    first = threading.Thread(target=queue.put, args=(answered(1, plan),))
    first.start()
    assert begun.wait(30)
    for task in (2, 3, 4):
        queue.put(answered(task, plan))
    go_on.set()
    first.join(30)

    assert batches == [[1], [2, 3, 4]]


def test_a_full_queue_lets_its_threads_wait(plan) -> None:
    largest: list[int] = []
    queue = PushQueue(lambda batch: largest.append(len(batch)), limit=2)
    threads = [threading.Thread(target=queue.put, args=(answered(task, plan),)) for task in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert (sum(largest), max(largest) <= 2) == (50, True)


def test_after_an_error_another_thread_pushes_what_was_left(plan) -> None:
    batches: list[list[int]] = []

    def push(batch: list[Answered]) -> None:
        batches.append([each.task for each in batch])
        if len(batches) == 1:
            queue_more()
            raise LabelStudioUnreachable("away")

    queue = PushQueue(push)  # type: ignore[arg-type]

    def queue_more() -> None:
        queue.put(answered(2, plan))

    with pytest.raises(LabelStudioUnreachable):
        queue.put(answered(1, plan))
    queue.put(answered(3, plan))

    assert batches == [[1], [2, 3]]


def test_a_page_of_checks_holds_a_whole_batch() -> None:
    assert PushQueue(lambda _: None)._limit <= PAGE_TASKS
