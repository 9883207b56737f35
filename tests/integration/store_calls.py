"""A call of each public method of each store, by the concern's and the method's name."""

from collections.abc import Callable
from datetime import UTC, datetime

from annotune.answer import Answer
from annotune.extra_params import ExtraParams
from annotune.models import ModelRef, ModelVersion
from annotune.project_options import ProjectOptions
from annotune.prompt import ProjectPrompt, PromptVersion
from annotune.runs import Progress, SyncSummary, TrainingRequest, TrainingRun
from annotune.split import text_sha
from annotune.store.backup import ProjectState
from annotune.store.reports import Batch
from annotune.store.store import Store
from annotune.store.workers import WorkerReport

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LLAMA, GPT = ModelRef.parse("ollama:llama3"), ModelRef.parse("openai:gpt-3.5-turbo")
REQUEST = TrainingRequest(requested_by="x", at=NOON)
SUMMARY = SyncSummary(usable=5, new=2, left_out={}, kinds={"typed": 5}, at=NOON)
PROMPT = ProjectPrompt(text="p", source="command", at=NOON)
PROMPT_VERSION = PromptVersion(text="p", source="command", at=NOON, number=1)
TEXTS = [text_sha(str(number)) for number in range(40)]
RUN = TrainingRun(id="r", project=1, number=1, state="promoted", started_at=NOON)
BATCH = Batch(at=NOON, project=1, tasks=2, answered=2)

CALLS: dict[str, Callable[[Store], object]] = {
    "answers.add": lambda store: store.answers.add([answer(1)], kept_s=0),
    "answers.all": lambda store: store.answers.all(1, 5),
    "answers.apply_retention": lambda store: store.answers.apply_retention(kept_s=60),
    "answers.forget": lambda store: store.answers.forget(2),
    "answers.known": lambda store: store.answers.known(1, 5),
    "answers.by_task": lambda store: store.answers.by_task(1, [5]),
    "answers.shorten": lambda store: store.answers.shorten(1, kept_s=60),
    "backup.claim": lambda store: store.backup.claim("abc"),
    "backup.mark": lambda store: store.backup.mark(),
    "backup.read": lambda store: store.backup.read(1),
    "backup.restore": lambda store: store.backup.restore(1, ProjectState(live=LLAMA), emptied=False),
    "changes.count": lambda store: store.changes.count(1),
    "changes.due": lambda store: store.changes.due(),
    "changes.note": lambda store: store.changes.note(1),
    "changes.note_queued": lambda store: store.changes.note_queued(1),
    "changes.set_summary": lambda store: store.changes.set_summary(1, SUMMARY),
    "changes.set_synced": lambda store: store.changes.set_synced(1, 1),
    "changes.summary": lambda store: store.changes.summary(1),
    "changes.synced": lambda store: store.changes.synced(1),
    "changes.take_queued": lambda store: store.changes.take_queued(1),
    "extra_params.get": lambda store: store.extra_params.get(1),
    "extra_params.set": lambda store: store.extra_params.set(1, ExtraParams(model="m")),
    "leases.held": lambda store: store.leases.held(1, "training"),
    "leases.holder": lambda store: store.leases.holder(1, "training"),
    "leases.left_s": lambda store: store.leases.left_s(1, "training"),
    "leases.release": lambda store: store.leases.release(1, "training", "t"),
    "leases.renew": lambda store: store.leases.renew(1, "training", "t", 9),
    "leases.take": lambda store: store.leases.take(1, "training", "t", 9),
    "live.get": lambda store: store.live.get(1),
    "live.past": lambda store: store.live.past(1),
    "live.swap": lambda store: store.live.swap(1, store.live.get(1), GPT),
    "live.swap_back": lambda store: store.live.swap_back(1, GPT, LLAMA),
    "options.get": lambda store: store.options.get(1),
    "options.reviewing": lambda store: store.options.reviewing(1),
    "options.set": lambda store: store.options.set(1, ProjectOptions(fills=("response",))),
    "projects.all": lambda store: store.projects.all(),
    "projects.forget": lambda store: store.projects.forget(2),
    "projects.knows": lambda store: store.projects.knows(1),
    "projects.remember": lambda store: store.projects.remember(1),
    "prompts.add": lambda store: store.prompts.add(1, PROMPT),
    "prompts.add_seen": lambda store: store.prompts.add_seen(1, ["a"]),
    "prompts.find": lambda store: store.prompts.find(1, "1"),
    "prompts.known": lambda store: store.prompts.known(1),
    "prompts.newest": lambda store: store.prompts.newest(1),
    "prompts.pin": lambda store: store.prompts.pin(1, PROMPT_VERSION),
    "prompts.pinned": lambda store: store.prompts.pinned(1),
    "prompts.seen": lambda store: store.prompts.seen(1),
    "prompts.set_system": lambda store: store.prompts.set_system(1, "s"),
    "prompts.system": lambda store: store.prompts.system(1),
    "prompts.unpin": lambda store: store.prompts.unpin(1),
    "prompts.used": lambda store: store.prompts.used(1),
    "prompts.versions": lambda store: store.prompts.versions(1),
    "reports.batch": lambda store: store.reports.batch(1),
    "reports.batches": lambda store: store.reports.batches([1]),
    "reports.save_batch": lambda store: store.reports.save_batch(BATCH),
    "reports.scores_missing": lambda store: store.reports.scores_missing(1),
    "reports.set_scores_missing": lambda store: store.reports.set_scores_missing(1, "why"),
    "runs.all": lambda store: store.runs.all(1),
    "runs.save": lambda store: store.runs.save(RUN),
    "serving.read": lambda store: store.serving.read(1),
    "splits.all": lambda store: store.splits.all(1),
    "splits.assign": lambda store: store.splits.assign(1, TEXTS, 5),
    "splits.preview": lambda store: store.splits.preview(1, TEXTS, 5),
    "splits.restore": lambda store: store.splits.restore(1, {TEXTS[0]: "train"}, emptied=False),
    "trained.add_learnt": lambda store: store.trained.add_learnt(1, {1: "a"}),
    "trained.learnt": lambda store: store.trained.learnt(1),
    "trained.set_tried": lambda store: store.trained.set_tried(1, {1: "a"}),
    "trained.tried": lambda store: store.trained.tried(1),
    "training.end": lambda store: store.training.end(1),
    "training.progress": lambda store: store.training.progress(1),
    "training.request": lambda store: store.training.request(1, REQUEST),
    "training.requested": lambda store: store.training.requested(1),
    "training.set_progress": lambda store: store.training.set_progress(1, Progress(run="r", stage="train")),
    "versions.all": lambda store: store.versions.all(1),
    "versions.next_number": lambda store: store.versions.next_number(1),
    "versions.raise_number": lambda store: store.versions.raise_number(1, 3),
    "versions.save": lambda store: store.versions.save(version(1)),
    "workers.alive": lambda store: store.workers.alive(),
    "workers.heartbeat": lambda store: store.workers.heartbeat(9),
    "workers.last_report": lambda store: store.workers.last_report(),
    "workers.leave": lambda store: store.workers.leave(),
    "workers.report": lambda store: store.workers.report(WorkerReport(by="w"), 9),
    "has_old_keys": lambda store: store.has_old_keys(),
    "migrate": lambda store: store.migrate(),
    "note_start": lambda store: store.note_start("abc"),
    "probe": lambda store: store.probe(),
    "started": lambda store: store.started(),
}
"""A dot separates concern and method; the store's own methods have none."""


def answer(number: int, task: int = 5) -> Answer:
    return Answer(
        project=1, task=task, prompt="p", prompt_sha="ab", text=f"answer {number}", model_version="m@ab", at=NOON
    )


def version(number: int) -> ModelVersion:
    return ModelVersion(
        project=1, number=number, model="m", digest="ab", run="r", created_at=NOON, num_ctx=256, state="candidate"
    )


def public_methods(store: Store) -> set[str]:
    """The names of all methods that `CALLS` has to have."""
    concerns = {name: value for name, value in vars(store).items() if not name.startswith("_") and name != "keys"}
    found = {f"{name}.{method}" for name, value in concerns.items() for method in _methods(type(value))}
    return found | (_methods(type(store)) - {"connect", "close"})


def _methods(kind: type) -> set[str]:
    return {
        name
        for one in kind.__mro__
        for name, value in vars(one).items()
        if not name.startswith("_") and callable(value) and not isinstance(value, type)
    }
