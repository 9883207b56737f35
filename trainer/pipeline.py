"""One training: annotations in, a served model out, and a manifest whatever happens."""

import logging
import math
import secrets
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from annotune.deadline import Deadline
from annotune.errors import (
    AnnotuneError,
    ConfigurationError,
    ModelServerError,
    StoreUnavailable,
    TrainingCancelled,
    TrainingFailed,
    TrainingRefused,
)
from annotune.files import file_sha256
from annotune.log import where
from annotune.models import ModelVersion
from annotune.promotion import go_live, reason_to_wait
from annotune.recipe import Recipe, recipe_names
from annotune.runs import PASSED, Progress, TrainingRequest, TrainingRun
from annotune.servers.ollama import OllamaClient
from curation.dataset import Dataset, write_dataset
from curation.examples import ExampleSet
from trainer import engine as steps
from trainer.context import TrainerContext
from trainer.engine import Engine, R, Step, SubprocessEngine
from trainer.events import Event, Measured, Started, Stepped
from trainer.mark import keep_pointers
from trainer.run_folder import (
    BASES,
    check_disk,
    read_runs,
    remove_intermediates,
    remove_unfinished,
    run_folder,
    write_manifest,
)
from trainer.stages.gates import Candidate, Losses, read_held_out, run_gates
from trainer.stages.register import is_taken, model_name, register, retry_until_available
from trainer.sync import examples_of, read

CHECK_S = 10
LEAST_FREE_BYTES = 2 << 30
FREE_TO_BASE = 2.5  # the merged checkpoint, the file to serve, and what the server makes of it, to a base in 32 bits

_log = logging.getLogger(__name__)


def current_examples(context: TrainerContext, project: int) -> ExampleSet:
    """The examples of what Label Studio has now."""
    tasks, labeling = read(context, project)
    return examples_of(context, project, tasks, labeling)


def run_training(
    context: TrainerContext,
    project: int,
    request: TrainingRequest,
    *,
    engine: Engine | None = None,
    example_set: Callable[[TrainerContext, int], ExampleSet] = current_examples,
) -> TrainingRun:
    """Train a project on what Label Studio has now, and serve the result if it passes.

    Returns:
        The run as its manifest has it: promoted, waiting for a person, refused or failed, with the reason.

    Raises:
        ConfigurationError: RUNS_DIR cannot be written to.
        TrainingCancelled: `workshop.cancelled()` became true; nothing is left of the run.
        StoreUnavailable: Redis stayed away; only a version that it knew of by then is left.
    """
    settings = context.settings
    engine = engine or SubprocessEngine(settings.trainer_python)
    now = datetime.now(UTC)
    run = TrainingRun(
        id=f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}",
        project=project,
        number=0,
        state="running",
        started_at=now,
        requested_by=request.requested_by,
        replaces=context.store.live.get(project),
    )
    remove_unfinished(settings.runs_dir, project)
    pipeline = Pipeline(context, engine, run)
    try:
        pipeline.folder.mkdir(parents=True)
    except OSError as error:
        raise ConfigurationError(
            f"RUNS_DIR={str(settings.runs_dir)!r} cannot be written to: {error.strerror}"
        ) from error
    try:
        pipeline.run_stages(example_set)
    except (TrainingCancelled, StoreUnavailable):
        if pipeline.run.version is None:
            shutil.rmtree(pipeline.folder, ignore_errors=True)
        raise
    except TrainingRefused as error:
        pipeline.end("refused", str(error))
    except (AnnotuneError, OSError) as error:
        pipeline.end("failed", str(error))
    except Exception as error:  # noqa: BLE001 - whatever it was, the run leaves a manifest that says so
        _log.error("project %d: run %s broke off\n%s", project, run.id, where(error))
        pipeline.end("failed", f"a fault of the trainer's own, {type(error).__name__}: its log has the rest")
    return pipeline.run


class Pipeline:
    """A run on its way: `run` holds what is known of it so far."""

    def __init__(self, context: TrainerContext, engine: Engine, run: TrainingRun) -> None:
        self.run = run
        self.folder = run_folder(context.settings.runs_dir, run.project, run.id)
        self._context = context
        self._settings = context.settings
        self._store = context.store
        self._engine = engine
        self._cancelled = context.cancelled
        self._progress = Progress(run=run.id, stage="collect")

    def run_stages(self, gather: Callable[[TrainerContext, int], ExampleSet]) -> None:
        """All stages, to the end of the run."""
        with closing(self._context.ollama()) as server:
            with self._stage("collect"):
                recipe = _recipe(self._settings.recipe)
                dataset = self._dataset(recipe, gather(self._context, self.run.project))
                retry_until_available(lambda: server.check(Deadline.after(CHECK_S)))
                check_disk(self.folder, LEAST_FREE_BYTES)
            gguf, sha256, losses = self._train(recipe, dataset)
            candidate = self._register(server, recipe, gguf, sha256)
            try:
                with self._stage("gates"):
                    held_out = read_held_out(dataset, self.folder / "rendered.jsonl")
                    verdicts = run_gates(candidate, held_out, losses, max_tokens=self._settings.max_tokens)
                self._go_on("promote")
            except BaseException:
                with suppress(ModelServerError):
                    server.delete(candidate.model)
                raise
        passed = all(verdict.passed for verdict in verdicts)
        made = ModelVersion(
            project=self.run.project,
            number=self.run.number,
            model=candidate.model,
            digest=sha256,
            run=self.run.id,
            created_at=datetime.now(UTC),
            num_ctx=candidate.num_ctx,
            state="candidate" if passed else "refused",
            verdicts=verdicts,
        )
        self._store.versions.save(made)
        self._note(version=made)
        if passed:
            self._promote(recipe, made)
        else:
            self.end("refused", made.reason)

    def end(self, state: Literal["promoted", "waiting", "refused", "failed"], reason: str) -> None:
        """Tidy, write the manifest, and remember what was tried. The job that asked saves the run in the store."""
        self._note(state=state, reason=reason, ended_at=datetime.now(UTC))
        remove_intermediates(self.folder, keep_weights=self.run.version is not None)
        write_manifest(self.folder, self.run)
        if self.run.reached_training:
            self._store.trained.set_tried(self.run.project, self.run.contents_by_annotation)
        if state in PASSED:
            self._store.trained.add_learnt(self.run.project, self.run.contents_by_annotation)
        keep_pointers(self._store, self._settings.runs_dir, self.run.project)
        _log.info("project %d: run %s is %s: %s", self.run.project, self.run.id, state, reason)

    def _dataset(self, recipe: Recipe, example_set: ExampleSet) -> Dataset:
        """Write it down. Raises TrainingRefused if there is too little to learn from, or to judge by."""
        dataset = write_dataset(self.folder / "dataset", example_set.train, example_set.held_out)
        shas = Counter(example.origin.prompt_sha for example in (*dataset.train, *dataset.held_out))
        self._note(
            dataset=dataset.digest,
            annotations=tuple(dataset.contents),
            contents=tuple(dataset.contents.values()),
            examples=len(dataset.train),
            held_out=len(dataset.held_out),
            left_out=dict(example_set.left_out),
            prompt_sha=shas.most_common(1)[0][0] if shas else "",
            recipe=recipe.model_dump(mode="json"),
        )
        if example_set.lacks:
            left_out = ", ".join(f"{count} {why}" for why, count in example_set.left_out.items()) or "none"
            raise TrainingRefused(f"{example_set.lacks} (left out: {left_out})")
        return dataset

    def _train(self, recipe: Recipe, dataset: Dataset) -> tuple[Path, str, Losses]:
        """From the dataset to a file that can be served."""
        job: dict[str, Any] = {"recipe": recipe.model_dump(mode="json"), "output": str(self.folder)}
        cache = self._settings.runs_dir.absolute() / BASES
        prepared = self._step("prepare", steps.PREPARE, {**job, "cache": str(cache)})
        if Path(prepared.base).is_dir():
            size = sum(file.stat().st_size for file in Path(prepared.base).rglob("*") if file.is_file())
            check_disk(self.folder, int(size * FREE_TO_BASE))
        job |= {"base": prepared.base, "dataset": str(dataset.folder)}
        trained = self._step("train", steps.TRAIN, job)
        self._note(
            packages=trained.versions | _own_version(),
            device=f"{trained.device} {trained.dtype}",
            metrics=self.run.metrics | {"peak_rss_mb": trained.peak_rss_mb, "peak_gpu_mb": trained.peak_gpu_mb},
        )
        metrics = self.run.metrics
        losses = Losses(base=metrics.get("base_loss", math.nan), tuned=metrics.get("tuned_loss", math.nan))
        self._step("merge", steps.MERGE, job)
        llama_cpp = self._settings.llama_cpp_dir
        converted = self._step("convert", steps.CONVERT, {**job, "llama_cpp_dir": str(llama_cpp or "")})
        if file_sha256(converted.gguf) != converted.sha256:
            raise TrainingFailed(f"{converted.gguf.name} is not what the converter wrote: is the disk sound?")
        remove_intermediates(self.folder, keep_weights=True)
        return converted.gguf, converted.sha256, losses

    def _register(self, server: OllamaClient, recipe: Recipe, gguf: Path, sha256: str) -> Candidate:
        """Put the file on the model server, under the next number whose name nothing there has.

        Only now, since a training that broke off before made no version; a number that was given out is never given again.
        """
        with self._stage("register"):
            project = self.run.project
            highest = max((run.number for run in read_runs(self._settings.runs_dir, project)), default=0)
            self._store.versions.raise_number(project, highest)
            number = self._store.versions.next_number(project)
            while is_taken(server, name := model_name(self._settings.deployment, project, number, sha256)):
                number = self._store.versions.next_number(project)
            register(server, name, gguf, sha256, num_ctx=recipe.num_ctx)
            self._note(number=number, packages=self.run.packages | {"ollama": retry_until_available(server.version)})
        return Candidate(server, name, recipe.num_ctx)

    def _promote(self, recipe: Recipe, made: ModelVersion) -> None:
        replaces = self.run.replaces
        # Should Redis have been emptied meanwhile, what was live comes back first.
        keep_pointers(self._store, self._settings.runs_dir, self.run.project)
        if why := reason_to_wait(self._settings, self._store, recipe, self.run.project, replaces):
            self.end("waiting", why)
            return
        # Should this process die at this moment, the run is known, and the pointer says which model is live.
        self._note(state="waiting", reason="it passed its gates", ended_at=datetime.now(UTC))
        write_manifest(self.folder, self.run)
        if go_live(self._store, made, replaces):
            self._note(version=made.model_copy(update={"state": "promoted"}))
            self.end("promoted", f"it passed its gates and replaces {replaces or 'the model of the environment'}")
        else:
            now = self._store.live.get(self.run.project)
            self.end(
                "waiting",
                f"it passed, but while it trained {now or 'the model of the environment'} went live in place of"
                f" {replaces or 'the model of the environment'}: run 'annotune models promote {self.run.project}' to make"
                " it live",
            )

    def _step(self, stage: str, step: Step[R], job: dict[str, Any]) -> R:
        with self._stage(stage):
            return self._engine.run(step, job, self.folder, on_event=self._heard, cancelled=self._cancelled)

    def _heard(self, event: Event) -> None:
        match event:
            case Started():
                if event.examples < self._settings.min_examples:
                    raise TrainingRefused(
                        f"{event.left_out} examples are longer than the recipe's max_seq_length, which leaves"
                        f" {event.examples}, and it takes {self._settings.min_examples} (MIN_EXAMPLES): submit"
                        f" {self._settings.min_examples - event.examples} more that are shorter, or raise max_seq_length"
                    )
                self._show(steps=event.steps)
            case Stepped():
                self._show(step=event.step, steps=event.steps, loss=event.loss, left_s=event.left_s)
            case Measured() if math.isfinite(event.value):
                self._note(metrics=self.run.metrics | {f"{event.what}_loss": event.value})
            case _:
                pass

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        self._go_on(name)
        self._show(stage=name, left_s=None)
        began = time.monotonic()
        try:
            yield
        finally:
            self._note(stages_s=self.run.stages_s | {name: round(time.monotonic() - began, 2)})

    def _go_on(self, stage: str) -> None:
        if self._cancelled():
            raise TrainingCancelled(f"the training was stopped before its stage {stage!r}; it starts anew")

    def _show(self, **changed: object) -> None:
        self._progress = self._progress.model_copy(update=changed)
        try:
            self._store.training.set_progress(self.run.project, self._progress)
        except StoreUnavailable:  # a bar that stands still is no reason to stop
            _log.warning("project %d: the progress could not be told to Redis", self.run.project)

    def _note(self, **known: object) -> None:
        self.run = self.run.model_copy(update=known)


def _recipe(name: str | None) -> Recipe:
    if name is None:
        raise ConfigurationError(f"training is off: set RECIPE to one of {recipe_names()}, or to a file's path")
    return Recipe.load(name)


def _own_version() -> dict[str, str]:
    try:
        return {"annotune": version("annotune")}
    except PackageNotFoundError:  # run from a folder that was never installed
        return {}
