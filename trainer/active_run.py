"""The training that is under way: its run as far as it is known, its folder, and its progress."""

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal, Self

from annotune.errors import ConfigurationError, StoreUnavailable, TrainingCancelled
from annotune.runs import PASSED, Progress, TrainingRequest, TrainingRun
from trainer.context import TrainerContext
from trainer.mark import back_up_project
from trainer.run_folder import remove_intermediates, remove_unfinished, run_folder, write_manifest

_log = logging.getLogger(__name__)


class ActiveRun:
    """`run` is what the manifest holds in the end, `request` what asked for it. `cancelled()` is asked before each stage and
    during long ones.
    """

    def __init__(self, context: TrainerContext, run: TrainingRun, request: TrainingRequest) -> None:
        self.run = run
        self.request = request
        self.folder = run_folder(context.settings.runs_dir, run.project, run.id)
        self.cancelled: Callable[[], bool] = context.cancelled
        self._store = context.store
        self._runs_dir = context.settings.runs_dir
        self._progress = Progress(run=run.id, stage="collect")

    @classmethod
    def begin(cls, context: TrainerContext, project: int, request: TrainingRequest) -> Self:
        """A new run with an empty folder. What killed runs of the project left is removed.

        Raises:
            ConfigurationError: RUNS_DIR cannot be written to.
            StoreUnavailable: Redis is away.
        """
        runs_dir, now = context.settings.runs_dir, datetime.now(UTC)
        run = TrainingRun(
            id=f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}",
            project=project,
            number=0,
            state="running",
            started_at=now,
            requested_by=request.requested_by,
            with_annotations=request.with_annotations,
            replaces=context.store.live.get(project),
        )
        remove_unfinished(runs_dir, project)
        active = cls(context, run, request)
        try:
            active.folder.mkdir(parents=True)
        except OSError as error:
            raise ConfigurationError(f"RUNS_DIR={str(runs_dir)!r} cannot be written to: {error.strerror}") from error
        return active

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Show a stage's name in the progress, and record the seconds that it takes.

        Raises:
            TrainingCancelled: the run was cancelled before.
        """
        self.check_cancelled(name)
        self.show(stage=name, left_s=None)
        began = time.monotonic()
        try:
            yield
        finally:
            self.update(stages_s=self.run.stages_s | {name: round(time.monotonic() - began, 2)})

    def check_cancelled(self, stage: str) -> None:
        """Raise TrainingCancelled if the run was cancelled."""
        if self.cancelled():
            raise TrainingCancelled(f"the training was stopped before its stage {stage!r}; it starts anew")

    def update(self, **fields: object) -> None:
        """Set fields of the run."""
        self.run = self.run.model_copy(update=fields)

    def show(self, **fields: object) -> None:
        """Set fields of the progress, in Redis."""
        self._progress = self._progress.model_copy(update=fields)
        try:
            self._store.training.set_progress(self.run.project, self._progress)
        except StoreUnavailable:  # a progress bar that stands still is no reason to stop
            _log.warning("project %d: Redis is away, so the progress is not shown", self.run.project)

    def end(self, state: Literal["promoted", "waiting", "refused", "failed"], reason: str) -> None:
        """Write the manifest, remove files that nobody needs, and record what was trained on.

        The run itself goes to Redis when its job ends.

        Raises:
            StoreUnavailable: Redis is away; the manifest is written.
        """
        self.update(state=state, reason=reason, ended_at=datetime.now(UTC))
        remove_intermediates(self.folder, keep_weights=self.run.version is not None)
        write_manifest(self.folder, self.run)
        if self.run.reached_training and self.run.with_annotations:  # else no annotation was tried
            self._store.trained.set_tried(self.run.project, self.run.contents_by_annotation)
        if state in PASSED:
            self._store.trained.add_learnt(self.run.project, self.run.contents_by_annotation)
        back_up_project(self._store, self._runs_dir, self.run.project)
        _log.info("project %d: run %s is %s: %s", self.run.project, self.run.id, state, reason)
