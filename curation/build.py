"""`annotune dataset build`: the annotations of projects become a dataset.

The tasks are read once, page by page, and rows wait on disk until all their sides are known. So memory does not grow with
the texts, and the folder changes only when the new dataset is whole.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from annotune.errors import RequestInvalid
from curation.alike_rows import AlikeRows, find_alike
from curation.annotated_rows import AnnotatedRows, OnTasks
from curation.context import CurationContext
from curation.dataset import SIDES, Line, write_files
from curation.dataset_folder import DatasetFolder
from curation.manifest import About, AlikePair, DatasetManifest, SourceProject
from curation.row_spool import RowSpool
from curation.sides import SideAssigner, Sides
from curation.similarity import similarity

NEAR_HELD_OUT = "near held out"


@dataclass(frozen=True)
class BuildRequest:
    """A dataset to build.

    Args:
        projects: whose annotations go in, in this order.
        folder: where the dataset goes.
        prompt: the project whose prompt will be served, or a text file with the prompt. None: each project's own.
        open_book: keep the source texts in the chats.
        names: put the annotators' names into the rows.
        licence: for the card and the manifest.
        pin_ground_truth: hold out the tasks that have a ground truth, unless their texts have trained.
    """

    projects: tuple[int, ...]
    folder: Path
    prompt: int | Path | None = None
    open_book: bool = False
    names: bool = False
    licence: str = ""
    pin_ground_truth: bool = False


@dataclass(frozen=True)
class BuiltDataset:
    """A dataset that was built. `is_new` is False if the folder held this very dataset, and nothing was changed.

    `lacks` says of a project why none of its texts is held out yet.
    """

    folder: Path
    manifest: DatasetManifest
    is_new: bool
    lacks: Mapping[int, str]


def build_dataset(context: CurationContext, request: BuildRequest, on_tasks: OnTasks | None = None) -> BuiltDataset:
    """Build a dataset. The sides of texts that have none yet are recorded.

    Args:
        context: settings, Redis and Label Studio.
        request: what to build.
        on_tasks: called with the number of tasks that were read, after each one.

    Raises:
        NotFound: there is no such project.
        RequestInvalid: a project is named twice, the folder holds something else, the prompt cannot ask the question
            alone, or there is nothing to learn from.
        PromptMissing: the project or the file of the prompt has none.
        LabelingInvalid: a labeling config cannot be served.
        InUse: another process builds this dataset.
        LabelStudioError, Unauthorized: Label Studio did not answer as it should.
        StoreUnavailable, RecordUnreadable: Redis does not answer, or holds something else.
    """
    if len(set(request.projects)) < len(request.projects) or not request.projects:
        raise RequestInvalid("name each project once, and at least one")
    folder = DatasetFolder(request.folder)
    with RowSpool() as spool:
        read = AnnotatedRows(context, spool, on_tasks or (lambda _: None))
        projects = [
            read.read(project, request.prompt, open_book=request.open_book, names=request.names)
            for project in request.projects
        ]
        if not spool:
            left_out = ", ".join(f"{count} {why}" for why, count in sorted(read.left_out.items())) or "none"
            raise RequestInvalid(f"no annotation is usable, so there is no dataset (left out: {left_out})")
        alike = find_alike(spool)
        assigner = SideAssigner(
            context.patient_store, context.settings.min_examples, spool.keys, alike, request.pin_ground_truth
        )
        sides = assigner.assign(request.projects)
        about = _about(request, projects, read, alike, sides)
        lines = {side: _lines(spool, request.projects, sides.rows(side)) for side in SIDES}
        with folder.beside() as part:
            manifest = write_files(part, lines, about, with_names=request.names)
            is_new = not folder.holds(part)
            if is_new:
                folder.replace_by(part)
    for project in sides.changed:
        context.save_copy(project)
    return BuiltDataset(folder.path, manifest, is_new, sides.lacks)


def _lines(spool: RowSpool, projects: Sequence[int], rows: Iterable[int]) -> Iterator[Line]:
    """The lines of rows: by project as they are named, then by task."""
    place = {project: number for number, project in enumerate(projects)}
    ordered = sorted(rows, key=lambda row: (place[spool.keys[row].project], spool.keys[row].task))
    return ((spool.keys[row].annotation, spool.line(row)) for row in ordered)


def _about(
    request: BuildRequest, projects: Sequence[SourceProject], read: AnnotatedRows, alike: AlikeRows, sides: Sides
) -> About:
    """What the manifest tells. The rows near a held-out one are counted as left out."""
    every = read.spool.keys
    for row in sides.near_held_out:
        read.leave(every[row].annotation, NEAR_HELD_OUT)
    keys = [key for row, key in enumerate(every) if row not in sides.near_held_out]
    asked = read.prompts(key.asked for key in keys)
    answered = read.prompts(key.answered for key in keys)
    return About(
        projects=tuple(projects),
        licence=request.licence,
        open_book=request.open_book,
        left_out=dict(sorted(read.left_out.items())),
        left_out_annotations={why: tuple(sorted(ids)) for why, ids in sorted(read.left_out_ids.items())},
        prompts=asked,
        answered=() if answered == asked else answered,
        models=dict(sorted(Counter(key.drafted_by for key in keys if key.drafted_by).items())),
        kinds=dict(sorted(Counter(key.kind for key in keys).items())),
        near_held_out=tuple(
            _pair(read.spool, row, other, similarity(read.spool.question(row), read.spool.question(other)), ())
            for row, other in sides.near_held_out.items()
        ),
        similar=tuple(
            _pair(read.spool, each.row, each.near.key, each.near.similarity, each.near.differs)
            for each in alike.similar
        ),
        similar_pairs=alike.similar_pairs,
    )


def _pair(spool: RowSpool, row: int, other: int, similarity: float, differs: tuple[str, ...]) -> AlikePair:
    first, second = spool.keys[row].annotation, spool.keys[other].annotation
    return AlikePair(first=first, second=second, similarity=round(similarity, 3), differs=differs)
