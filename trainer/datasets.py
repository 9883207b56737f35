"""The datasets of a training, added to the examples of the project's annotations."""

from collections.abc import Mapping, Sequence
from contextlib import closing

from annotune.errors import NotFound
from annotune.prompt import Prompt
from annotune.serving import ServingResolver
from annotune.split import SplitAssignment, SplitName
from curation.collect import ExampleRules
from curation.examples import ExampleSet
from curation.mixture import Mixture, mix
from curation.row_examples import RowMaker
from curation.row_sets import RowSet, read_rows
from trainer.active_run import ActiveRun
from trainer.context import TrainerContext
from trainer.mark import assign_splits


def with_datasets(active: ActiveRun, context: TrainerContext, annotated: ExampleSet) -> Mixture:
    """The examples of the annotations and of the datasets that a training was requested with.

    Raises:
        NotFound: the worker sees no such file or folder, or the Hub has no such dataset.
        RequestInvalid: a dataset cannot be read or lacks a column, or the project's answers are no free texts.
        SourceUnreachable: the Hub does not answer.
        PromptMissing: the project has no prompt to ask a dataset's questions by.
        LabelStudioError, StoreUnavailable: as for annotations alone.
    """
    if not active.request.datasets:
        return Mixture(annotated, ())
    settings, store, project = context.settings, context.store, active.run.project
    row_sets = _read(active, context)

    def pin(sides: Mapping[str, SplitName]) -> None:
        if sides and not store.splits.preview(project, list(sides), settings.min_examples).by_hash:
            store.splits.restore(project, sides, emptied=False)

    def assign(texts: Sequence[str], groups: Sequence[str]) -> SplitAssignment:
        return assign_splits(store, settings.runs_dir, project, texts, settings.min_examples, groups)

    return mix(
        annotated,
        row_sets,
        pin=pin,
        assign=assign,
        min_train=settings.min_examples,
        with_annotations=active.request.with_annotations,
    )


def _read(active: ActiveRun, context: TrainerContext) -> list[RowSet]:
    project = active.run.project
    with closing(context.studio()) as studio:
        rules = ExampleRules.read(studio, context.store, context.settings, studio.projects.get(project))
    maker = RowMaker.of(project, rules.maker.labeling)

    def prompt() -> Prompt:
        return ServingResolver(context.settings, context.store).resolve(project).required_prompt(project)

    row_sets: list[RowSet] = []
    for ref in active.request.datasets:
        active.check_cancelled("collect")
        try:
            row_sets.append(read_rows(ref, maker, prompt, 1 + sum(found.read for found in row_sets)))
        except NotFound as error:
            raise NotFound(f"{error} (it is the worker that reads a dataset)") from error
    return row_sets
