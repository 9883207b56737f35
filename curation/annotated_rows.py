"""The annotated tasks of projects, read once, as rows of a dataset and as what its manifest tells."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from annotune.errors import RequestInvalid
from annotune.label_studio.rows import TaskRow
from annotune.prompt import Prompt
from curation.annotation import Reason
from curation.collect import ExampleRules
from curation.context import CurationContext
from curation.dataset_card import line_of, row_of
from curation.example import Example
from curation.examples import TaskOutcome, task_outcomes
from curation.manifest import AskedPrompt, SourceProject
from curation.row_spool import RowKey, RowSpool
from curation.served_prompt import ServedPrompt, served_prompt

OnTasks = Callable[[int], object]
"""Called with the number of tasks that were read so far."""


@dataclass
class AnnotatedRows:
    """Reads projects into a spool, and keeps what was left out, by reason: how many annotations, and the ids of those."""

    context: CurationContext
    spool: RowSpool
    on_tasks: OnTasks = lambda _: None
    left_out: Counter[str] = field(default_factory=Counter)
    left_out_ids: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _prompts: dict[str, Prompt] = field(default_factory=dict)
    _texts: dict[str, str] = field(default_factory=dict)
    _tasks: int = 0

    def read(self, number: int, prompt: int | Path | None, *, open_book: bool, names: bool) -> SourceProject:
        """Read a project's annotated tasks.

        Args:
            number: the project.
            prompt: as for `served_prompt`.
            open_book: as for `served_prompt`.
            names: put the annotators' names into the rows.

        Raises:
            NotFound, LabelingInvalid, PromptMissing, RequestInvalid, LabelStudioError, Unauthorized, StoreUnavailable,
            RecordUnreadable: as `served_prompt`, `ExampleRules.read` and `task_outcomes`.
        """
        project = self.context.project(number)
        studio, store, settings = self.context.label_studio, self.context.patient_store, self.context.settings
        rules = ExampleRules.read(studio, store, settings, project)
        served = served_prompt(self.context, project, rules.maker.labeling, prompt, open_book=open_book)
        self._know_prompts(number, served)
        names_of = {user.id: user.name for user in studio.users.all()} if names else None
        page: dict[int, TaskRow] = {}

        def remembered() -> Iterator[TaskRow]:
            for task in studio.tasks.annotated(number):
                page[task.id] = task
                yield task

        read = task_outcomes(
            remembered(), rules.maker, rules.policy, lambda tasks: store.answers.by_task(number, tasks)
        )
        for outcome in read:
            self._add(outcome, page.pop(outcome.task), served, names_of)
            self._tasks += 1
            self.on_tasks(self._tasks)
        return SourceProject(project=number, title=project.title, template=store.options.get(number).template)

    def leave(self, annotation: int | None, reason: str) -> None:
        """Count an annotation as left out. `annotation` is None where nobody can read its id."""
        self.left_out[reason] += 1
        if annotation is not None:
            self.left_out_ids[reason].append(annotation)

    def prompts(self, shas: Iterable[str]) -> tuple[AskedPrompt, ...]:
        """Prompts by how many rows have them, with their texts where those are known."""
        found = []
        for sha, rows in sorted(Counter(shas).items(), key=lambda each: (-each[1], each[0])):
            known = self._prompts.get(sha)
            if known is None:
                found.append(AskedPrompt(sha=sha, rows=rows))
            else:
                texts = {"text": known.text, "template": known.template, "system": known.system}
                found.append(AskedPrompt(sha=sha, rows=rows, **texts))
        return tuple(found)

    def _add(self, outcome: TaskOutcome, task: TaskRow, served: ServedPrompt, names: Mapping[int, str] | None) -> None:
        for each in outcome.left_out:
            self.leave(each.annotation, each.reason)
        if outcome.example is None:
            return
        example = _asked(outcome.example, task, served)
        if not isinstance(example, Example):
            self.leave(outcome.example.origin.annotation, example)
            return
        origin = example.origin
        name = None if names is None else names.get(origin.annotator or 0, "")
        key = RowKey(
            project=origin.project,
            task=origin.task,
            annotation=origin.annotation,
            text_sha=outcome.text_sha,
            group_sha=outcome.group_sha,
            asked=self._shared(origin.prompt_sha),
            answered=self._shared(outcome.example.origin.prompt_sha),
            kind=origin.kind,
            drafted_by=None if origin.drafted_by is None else self._shared(origin.drafted_by),
            is_ground_truth=any(each.ground_truth for each in task.annotations),
        )
        self.spool.add(key, example.question, line_of(row_of(example, name)))

    def _shared(self, text: str) -> str:
        """The same text for equal ones: a sha or a version that most rows have is in memory once."""
        return self._texts.setdefault(text, text)

    def _know_prompts(self, project: int, served: ServedPrompt) -> None:
        store, settings = self.context.patient_store, self.context.settings
        known = [
            Prompt.from_settings(version.text, settings, version.system) for version in store.prompts.versions(project)
        ]
        self._prompts |= {prompt.sha: prompt for prompt in (*known, *filter(None, [served.prompt]))}


def _asked(example: Example, task: TaskRow, served: ServedPrompt) -> Example | Reason:
    """The example with the chat that the dataset asks."""
    try:
        messages = served.messages(example, task.data)
    except RequestInvalid:  # not for a missing field: the example has all of them
        return "too long"
    sha = served.prompt.sha if served.prompt else example.origin.prompt_sha
    origin = example.origin.model_copy(update={"prompt_sha": sha})
    return example.model_copy(update={"messages": messages, "origin": origin})
