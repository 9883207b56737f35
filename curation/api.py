"""The Python API: what the commands do, for a notebook or a program.

    from curation.api import Annotune

    with Annotune.from_environment() as annotune:
        plan = annotune.plan(4, tasks="1-100")
        print(annotune.estimate(plan).cost_usd)
        print(annotune.predict(plan).pushed)

A project is the number in its address in Label Studio. Every error is an `AnnotuneError` (`annotune/errors.py`), and its
message says what to do. All methods raise `StoreUnavailable` if Redis does not answer, and `LabelStudioError` or
`Unauthorized` if Label Studio does not answer as it should.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from annotune import promotion
from annotune.errors import RecordUnreadable
from annotune.ids import parse_ranges, ranges_of
from annotune.models import ModelRef
from annotune.overview import (
    DeploymentOverview,
    OverviewReader,
    ProjectOverview,
    UnreadableProject,
    VersionOverview,
    version_overviews,
)
from annotune.prices import Prices
from annotune.prompt import PromptVersion
from annotune.runs import DatasetRef
from annotune.servers.pool import Servers, capabilities_of
from annotune.serving import DefaultModel, ServingResolver
from annotune.settings import Settings, load_settings
from annotune.store.workers import Check
from curation.agreement import Agreement, project_agreement
from curation.backend_address import BackendAddress
from curation.checkup import checkup
from curation.collect import project_examples
from curation.compare import TASKS, Comparison, compare_prompts
from curation.connect import Connected, Disconnected, connect_project, disconnect_project
from curation.context import CurationContext
from curation.dataset_api import DatasetMethods
from curation.estimate import Estimate, estimate
from curation.examples import ExampleSet
from curation.importing import ImportCounts, ImportOptions, OnImport, import_source
from curation.patience import Notice, log
from curation.plan import Plan, make_plan
from curation.predict import BatchCounts, BatchPrediction, OnProgress, open_batch
from curation.project_list import ListedProject, list_projects, set_fills
from curation.project_setup import CreatedProject, create_from_template
from curation.prompts import (
    ListedPrompt,
    PromptChange,
    diff_prompts,
    find_prompt,
    list_prompts,
    set_prompt,
    system_prompt,
    use_prompt,
)
from curation.repair import RepairReport, repair_predictions
from curation.sources.source import open_source
from curation.templates import Template, find_template, templates
from curation.training import RequestedTraining, request_training
from curation.transfer import Transfer, transfer_questions


class Annotune(DatasetMethods):
    """One deployment: its settings, its Redis, its Label Studio and its model servers.

    Connections are opened when they are first used. Close it at the end, or use it in a `with` statement.
    """

    def __init__(self, settings: Settings) -> None:
        self.context = CurationContext(settings)

    @classmethod
    def from_environment(cls, **overrides: Any) -> Self:
        """The deployment that the environment variables configure, as for the commands.

        Args:
            overrides: settings by their names in lower case, in place of those in the environment.

        Raises:
            ConfigurationError: a setting is wrong; the message names it.

        Example:
            >>> with Annotune.from_environment(max_tokens=200) as other:
            ...     other.settings.max_tokens
            200
        """
        return cls(load_settings(**overrides))

    @property
    def settings(self) -> Settings:
        return self.context.settings

    def close(self) -> None:
        """Close all connections."""
        self.context.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Projects

    def create_project(
        self,
        template: str,
        *,
        title: str | None = None,
        folder: Path | str | None = None,
        reviewed: int | None = None,
        url: str | None = None,
    ) -> CreatedProject:
        """Make a project from a template, connect it and give it the template's prompt. Again it changes nothing.

        Args:
            template: its name, such as `medchat`.
            title: the project's title, by which it is found again; None: the template's.
            folder: a folder with templates of one's own; None: those that Annotune ships.
            reviewed: for the template `review`: the project whose accepted answers experts review.
            url: as for `connect`.

        Raises:
            NotFound: there is no such template, or no such project to review.
            RequestInvalid: a project of that title has another labeling config.
            ConfigurationError, LabelStudioError: as `connect`. Run it again to go on.

        Example:
            >>> made = annotune.create_project("medchat", url="http://localhost:9090")
            >>> made.title, made.template.fills, made.changes[0]
            ('Medical chat', ('response',), "made it, as 'Medical chat'")
            >>> annotune.create_project("medchat", url="http://localhost:9090").changes
            ()
        """
        found = find_template(template, None if folder is None else Path(folder))
        return create_from_template(self.context, found, title=title, reviewed=reviewed, url=url)

    def list_projects(self) -> list[ListedProject]:
        """All projects that the key may see in Label Studio, by number; `projects` has those that Annotune knows.

        Example:
            >>> [(each.number, each.title, each.tasks) for each in annotune.list_projects()][0]
            (4, 'Project 4', 3)
        """
        return list_projects(self.context)

    def templates(self, folder: Path | str | None = None) -> tuple[Template, ...]:
        """The templates of a folder, by name; those that Annotune ships if it is None.

        Raises:
            NotFound: there is no such folder.
            ConfigurationError: a template is wrong; the message names the file.

        Example:
            >>> [each.name for each in annotune.templates() if not each.fills]
            ['review']
        """
        return templates(None if folder is None else Path(folder))

    def project_fills(self, project: int, names: Iterable[str] | None = None) -> tuple[str, ...] | None:
        """Which controls the model fills in a project. None: nobody has said, and the setting ANSWER_CONTROLS holds.

        Args:
            project: its number.
            names: the controls that the model fills from now on, and no others; empty: people alone fill the project.
                None changes nothing.

        Raises:
            NotFound: there is no such project.
            LabelingInvalid: a model cannot fill one of these controls, or the config does not have it.

        Example:
            >>> annotune.project_fills(4, ["response"])
            ('response',)
        """
        if names is not None:
            return set_fills(self.context, project, tuple(names)).fills
        self.context.check_project(project)
        return self.context.store.options.get(project).fills

    def connect(self, project: int, url: str | None = None) -> Connected:
        """Connect a project to the backend: an ML backend and a webhook in Label Studio. Doing it twice changes nothing.

        Args:
            project: its number.
            url: where Label Studio reaches the backend. None: the setting BACKEND_URL.

        Raises:
            ConfigurationError: there is no URL, or Label Studio would refuse it.
            NotFound: there is no such project.
            LabelStudioError: Label Studio does not reach the backend. Nothing is changed then.

        Example:
            >>> connected = annotune.connect(4, "http://localhost:9090")
            >>> connected.change.changes
            ('added the webhook http://localhost:9090/webhook', 'added the backend http://localhost:9090')
        """
        return connect_project(self.context, project, url)

    def check(self, project: int, url: str | None = None) -> Iterator[Check]:
        """Check a connected project, one part after the other: its model, the worker, and Label Studio's events.

        Args:
            project: its number.
            url: as for `connect`.

        Raises:
            ConfigurationError: as `connect`.

        Example:
            >>> next(annotune.check(4, "http://localhost:9090")).detail
            'ollama:small answers'
        """
        return checkup(self.context, project, BackendAddress.of(url, self.settings))

    def disconnect(self, project: int) -> Disconnected:
        """Disconnect a project, and delete the answers that Redis keeps of it. Versions and prompts stay.

        Raises:
            NotFound: there is no such project.

        Example:
            >>> annotune.disconnect(4).tasks
            0
        """
        return disconnect_project(self.context, project)

    def deployment(self) -> DeploymentOverview:
        """The worker and the queue.

        Example:
            >>> annotune.deployment().trainings
            0
        """
        return self._overview().deployment()

    def projects(self) -> Iterator[ProjectOverview | UnreadableProject]:
        """What answers each known project, its annotations and its trainings, by number.

        Example:
            >>> [(each.project, str(each.model)) for each in annotune.projects()]
            [(4, "ollama:small (the environment's default)")]
        """
        return self._overview().projects()

    def _overview(self) -> OverviewReader:
        context = self.context
        read_title = context.title if self.settings.has_label_studio else None
        return OverviewReader(self.settings, context.store, context.jobs, read_title)

    # Models

    def models(self, project: int) -> list[VersionOverview]:
        """The versions of the project's model, newest first.

        Raises:
            NotFound: there is no such project.
            RecordUnreadable: another version of Annotune wrote the records.

        Example:
            >>> [(each.version.name, each.version.state, each.live) for each in annotune.models(4)]
            [('v0001', 'candidate', False)]
        """
        self.context.check_project(project)
        return version_overviews(self.context.store, project)

    def all_models(self) -> Mapping[int, list[VersionOverview] | RecordUnreadable]:
        """As `models`, for each known project. Where another version of Annotune wrote the records, the error.

        Example:
            >>> list(annotune.all_models())
            [4]
        """
        found: dict[int, list[VersionOverview] | RecordUnreadable] = {}
        store = self.context.store
        for project in store.projects.all():
            try:
                found[project] = version_overviews(store, project)
            except RecordUnreadable as error:
                found[project] = error
        return found

    def live_model(self, project: int) -> ModelRef | DefaultModel:
        """The model that answers the project.

        Raises:
            RecordUnreadable: another version of Annotune wrote the record.

        Example:
            >>> str(annotune.live_model(4))
            "ollama:small (the environment's default)"
        """
        store = self.context.store
        return store.live.get(project) or ServingResolver(self.settings, store).default_model(project)

    def use_model(self, project: int, name: str) -> ModelRef:
        """Let a model answer the project.

        Args:
            project: its number.
            name: such as `ollama:llama3`, `openai:gpt-4o-mini` or `v0003`.

        Raises:
            RequestInvalid: `name` cannot be read.
            NotFound: there is no such project or version, or the model is not on its server.
            ModelServerError, ConfigurationError: the model's server does not answer.
            TrainingRefused: the version was refused, or the live model changed meanwhile.

        Example:
            >>> str(annotune.use_model(4, "ollama:small"))
            'ollama:small'
        """
        self.context.check_project(project)
        ref = promotion.use_model(self.settings, self.context.store, project, name)
        self.context.save_copy(project)
        return ref

    def promote(self, project: int, number: int | None = None) -> ModelRef:
        """Make a version live.

        Args:
            project: its number.
            number: of the version, 3 for `v0003`. None: the newest version that waits for a person.

        Raises:
            NotFound, ModelServerError, TrainingRefused: as `use_model`.

        Example:
            >>> annotune.promote(4).version
            'v0001'
        """
        self.context.check_project(project)
        ref = promotion.promote(self.settings, self.context.store, project, number)
        self.context.save_copy(project)
        return ref

    def roll_back(self, project: int) -> ModelRef | DefaultModel:
        """Let the model answer that answered before. Done again, it goes back one further.

        Raises:
            NotFound: there is no such project, no earlier model, or the model is not on its server.
            ModelServerError, TrainingRefused: as `use_model`.

        Example:
            >>> _ = annotune.promote(4, 1)
            >>> str(annotune.roll_back(4))
            "ollama:small (the environment's default)"
        """
        self.context.check_project(project)
        promotion.roll_back(self.settings, self.context.store, project)
        self.context.save_copy(project)
        return self.live_model(project)

    # Tasks

    def import_rows(
        self,
        project: int,
        source: str,
        *,
        split: str | None = None,
        limit: int | None = None,
        shuffle: int | None = None,
        columns: Mapping[str, str] | None = None,
        bad_rows: Path | str | None = None,
        on_progress: OnImport | None = None,
        notice: Notice = log.warning,
    ) -> ImportCounts:
        r"""Make tasks of the rows of a source. A row that is a task of the project already is passed over.

        If Label Studio goes away meanwhile, this waits for it some minutes, and goes on.

        Args:
            project: its number.
            source: a file, a folder of texts, a dataset of the Hugging Face Hub such as `ngram/medchat-qa`, or `medal`.
            split: of a dataset. None: `train`, or the only one.
            limit: take no more rows of the source than this.
            shuffle: a seed: rows come in another order, within a buffer of 10,000.
            columns: fields that the page shows, and the columns that they are filled from. None: by their names.
            bad_rows: a file for rows that cannot be tasks, as JSON lines with the reasons. None: they are only counted.
            on_progress: called with the counts now and then.
            notice: called with a sentence for each wait.

        Raises:
            NotFound: there is no such project, file, dataset or split.
            RequestInvalid: the source cannot be read, has no rows, or lacks a column that the page shows.
            Unauthorized: a dataset is gated or private.
            SourceUnreachable: the Hub does not answer.
            InUse: another process changes the project's tasks.

        Example:
            >>> rows = folder.with_name("rows.csv")
            >>> _ = rows.write_text("question,answer\nQuestion 0?,Yes.\nIs it safe?,No.\n,Nobody asked.\n")
            >>> counts = annotune.import_rows(4, str(rows))
            >>> counts.read, counts.imported, counts.present, counts.bad
            (3, 1, 1, {'has no question': 1})
        """
        opened = open_source(source, split)
        options = ImportOptions(limit, shuffle, columns or {}, Path(bad_rows) if bad_rows else None)
        watch = on_progress or (lambda _: None)
        return import_source(self.context, project, opened, options, on_progress=watch, notice=notice)

    # Predictions

    def plan(
        self,
        project: int,
        *,
        tasks: str | Iterable[int | range] | None = None,
        model: str | None = None,
        only_missing: bool = False,
    ) -> Plan:
        """Plan predictions. The model and the prompt are those that answer the project now, and stay so in the plan.

        Args:
            project: its number.
            tasks: ids of tasks, such as `"1,5,10-20"` or `[1, 5]`. None: all tasks.
            model: another model, such as `ollama:llama3`, `openai:gpt-4o-mini` or `v0003`.
            only_missing: leave out tasks that have any prediction. Tasks that have one of the same model and prompt are left
                out anyway.

        Raises:
            NotFound: there is no such project, task or version.
            RequestInvalid: `tasks` or `model` cannot be read.
            LabelingInvalid: the labeling config cannot be served.
            PromptMissing: the project has no prompt.

        Example:
            >>> plan = annotune.plan(4, tasks="4000-4002")
            >>> plan.found, str(plan.ref)
            (3, 'ollama:small')
        """
        ids = None if tasks is None else parse_ranges(tasks) if isinstance(tasks, str) else ranges_of(tasks)
        return make_plan(self.context, project, model=model, ids=ids, only_missing=only_missing)

    def estimate(self, plan: Plan, *, prices: Prices | None = None, questions: int = 1) -> Estimate:
        """Estimate tokens and cost of a plan. No model is asked for an answer.

        Ollama counts the tokens of the first tasks. An API that costs money is not called: 4 characters count as one token.

        Args:
            plan: what `plan` returned.
            prices: a price table. None: `prompts/prices.toml`.
            questions: how many questions to keep, to read what the model would get.

        Raises:
            ConfigurationError: the price table cannot be read.

        Example:
            >>> estimate = annotune.estimate(annotune.plan(4))
            >>> estimate.tasks, estimate.cost_usd
            (3, 0.0)
            >>> print(estimate.questions[4000].messages[-1].content)
            Answer in one word.
            <BLANKLINE>
            Question 0?
        """
        prices = prices or Prices.load()
        label_studio = self.context.label_studio
        can = capabilities_of(plan.ref.server)
        if not (can.free and can.counts_tokens):  # even an answer of one token costs the tokens of its prompt
            return estimate(plan, label_studio, None, prices=prices, questions=questions)
        with closing(Servers(self.settings)) as servers:
            server = servers.get(plan.ref.server)
            return estimate(plan, label_studio, server, prices=prices, questions=questions)

    def predict(self, plan: Plan, *, on_progress: OnProgress | None = None) -> BatchCounts:
        """Ask the model about each task of a plan, and push each prediction to Label Studio as soon as it is made.

        An interruption loses nothing that was pushed. Run the plan again to go on.

        Args:
            plan: what `plan` returned.
            on_progress: called with the counts after each task.

        Raises:
            InUse: another process predicts the project.
            ModelServerError, ConfigurationError, NotFound: an error that every task would meet. What was pushed stays.

        Example:
            >>> counts = annotune.predict(annotune.plan(4))
            >>> counts.pushed, counts.failed
            (3, {})
        """
        with self.batch(plan) as batch:
            return batch.run(on_progress)

    def batch(self, plan: Plan) -> AbstractContextManager[BatchPrediction]:
        """A batch to run in a `with` statement. Its `counts` can be read after an interruption too.

        Raises:
            InUse: another process predicts the project.

        Example:
            >>> with annotune.batch(annotune.plan(4)) as batch:
            ...     _ = batch.run()
            >>> batch.counts.done
            3
        """
        return open_batch(self.context, plan)

    def repair_predictions(self, project: int, *, dry_run: bool = False) -> RepairReport:
        """Put shifted spans of stored predictions in their places. Only predictions of Annotune change.

        Args:
            project: its number.
            dry_run: report what would be repaired, and change nothing.

        Raises:
            NotFound: there is no such project.
            LabelingInvalid: the labeling config cannot be served.

        Example:
            >>> report = annotune.repair_predictions(4, dry_run=True)
            >>> report.tasks, report.repaired
            (3, [])
        """
        return repair_predictions(self.context, project, dry_run=dry_run)

    # From project to project

    def curate_questions(
        self, source: int, target: int, *, dry_run: bool = False, notice: Notice = log.warning
    ) -> Transfer:
        """Make a task for each question that people accepted in a project. Again it moves only what is new.

        Args:
            source: the project whose accepted answers are lists of questions.
            target: the project in which the questions are answered.
            dry_run: tell what would be done, and change nothing.
            notice: called with a sentence for each wait.

        Raises:
            RequestInvalid: the projects do not fit each other.
            NotFound: there is no such project.
            InUse: another process changes the tasks of `target`.

        Example:
            >>> done = annotune.curate_questions(5, 6)
            >>> len(done.moved), done.dropped
            (2, {'introduction': 1})
        """
        return transfer_questions(self.context, source, target, dry_run=dry_run, notice=notice)

    # Prompts

    def prompts(self, project: int) -> list[ListedPrompt]:
        """All versions of the project's prompt, newest first.

        Raises:
            NotFound: there is no such project.

        Example:
            >>> [listed.version.text for listed in annotune.prompts(4)]
            ['Answer in one word.']
        """
        return list_prompts(self.context, project)

    def prompt(self, project: int, version: int | str | None = None) -> PromptVersion | None:
        """A version of the project's prompt, or the one in use. None if the project has no prompt of its own.

        Raises:
            NotFound: there is no such project or version.
            RequestInvalid: `version` is no number.

        Example:
            >>> annotune.prompt(4, 1).source
            'command'
        """
        return find_prompt(self.context, project, _name(version))

    def system_prompt(self, project: int, version: int | str | None = None) -> str:
        """The system prompt of a version, or the one in use: the project's own, else the setting SYSTEM_PROMPT.

        Raises:
            NotFound: there is no such project or version.
            RequestInvalid: `version` is no number.

        Example:
            >>> annotune.system_prompt(4)
            ''
        """
        return system_prompt(self.context, project, _name(version))

    def set_prompt(self, project: int, text: str, *, system: str | None = None, pin: bool = False) -> PromptChange:
        """Make a text the project's prompt. It is used until another is submitted, or always if it is pinned.

        Args:
            project: its number.
            text: the prompt as written. Placeholders such as `{text}` stay.
            system: the project's system prompt. An empty text means none; None leaves it as it is.
            pin: use it also when another is submitted.

        Raises:
            PromptMissing: the text is empty.
            NotFound: there is no such project.

        Example:
            >>> change = annotune.set_prompt(4, "Answer {qestion} in one word.")
            >>> print(change.version.number, *change.warnings)
            2 The prompt has {qestion}, which names nothing in the tasks of project 4: did you mean {question}?
        """
        return set_prompt(self.context, project, text, system=system, pin=pin)

    def use_prompt(self, project: int, version: int | str) -> PromptVersion | None:
        """Pin a version of the project's prompt. `"latest"` ends the pin: the last submitted prompt is used.

        Returns the version that is used now. None: the project has no prompt yet.

        Raises:
            NotFound: there is no such project or version.
            RequestInvalid: `version` is no number.

        Example:
            >>> annotune.use_prompt(4, 1).number
            1
        """
        return use_prompt(self.context, project, str(version))

    def diff_prompts(self, project: int, older: int | str, newer: int | str | None = None) -> list[str]:
        """The lines of a unified diff of two versions of the prompt. Without `newer`, of the one in use.

        Raises:
            NotFound: there is no such project or version.
            RequestInvalid: `older` or `newer` is no number.

        Example:
            >>> _ = annotune.set_prompt(4, "Answer in two words.")
            >>> annotune.diff_prompts(4, 1)[-2:]
            ['-Answer in one word.', '+Answer in two words.']
        """
        return diff_prompts(self.context, project, str(older), _name(newer))

    def compare_prompts(
        self, project: int, first: int | str, second: int | str, *, tasks: int = TASKS, model: str | None = None
    ) -> Comparison:
        """Ask a model with two versions of the prompt about the same tasks, annotated tasks first. Nothing is stored.

        Args:
            project: its number.
            first: a version of the prompt.
            second: another version.
            tasks: compare on so many tasks.
            model: another model than the one that answers the project, as for `plan`.

        Raises:
            NotFound: there is no such project, version or model, or the project has no tasks.
            RequestInvalid: `first`, `second` or `model` cannot be read.
            ModelServerError, ConfigurationError: an error that every task would meet.

        Example:
            >>> _ = annotune.set_prompt(4, "Answer in two words.")
            >>> comparison = annotune.compare_prompts(4, 1, 2)
            >>> [(answer.task, answer.text) for answer in comparison.first]
            [(4000, 'Yes.'), (4001, 'Yes.'), (4002, 'Yes.')]
        """
        return compare_prompts(self.context, project, str(first), str(second), tasks=tasks, model=model)

    # Examples and trainings

    def examples(self, project: int) -> ExampleSet:
        """The examples that a training of the project would learn from now, and those that it would hold out.

        Nothing is stored. Before a project has enough annotations for a training, none is held out.

        Raises:
            NotFound: there is no such project.
            LabelingInvalid: the labeling config cannot be served.

        Example:
            >>> examples = annotune.examples(4)
            >>> len(examples.train), len(examples.held_out)
            (0, 0)
        """
        return project_examples(self.context, project)

    def agreement(self, project: int, *, names: bool = False) -> Agreement:
        """How far the annotators of a project agree, control by control: all together, and each two of them.

        Args:
            project: its number.
            names: look up the annotators' names, for `Agreement.names`; without it they are numbers.

        Raises:
            NotFound: there is no such project.
            LabelingInvalid: the labeling config has no control that can be read.

        Example:
            >>> [response] = annotune.agreement(4).controls
            >>> response.control, response.measure, response.value, response.why
            ('response', 'similarity', None, 'nobody has annotated yet')
        """
        return project_agreement(self.context, project, names=names)

    def train(
        self,
        project: int,
        datasets: Iterable[str | DatasetRef] = (),
        *,
        columns: Mapping[str, str] | None = None,
        split: str | None = None,
        with_annotations: bool = True,
    ) -> RequestedTraining:
        """Request a training from the worker. `RequestedTraining.watch` yields its progress, and `wait` its end.

        Args:
            project: its number.
            datasets: what to train on beside the project's annotations: folders that `annotune dataset build` wrote, files
                that the worker sees, or names on the Hugging Face Hub.
            columns: the columns that hold `question` and `answer`, in all of them.
            split: of the datasets on the Hub. None: `train`, or the only one.
            with_annotations: without, it trains on the datasets alone.

        Raises:
            ConfigurationError: RECIPE is not set, or the recipe cannot be read.
            NotFound: there is no such project, or no such dataset.
            RequestInvalid: the project cannot train on datasets, or one of them lacks a column.
            SourceUnreachable: the Hub does not answer.
            TrainingRefused: the worker cannot train, or another training is under way; the message says why.

        Example:
            >>> training = annotune.train(4)
            >>> training.is_new, next(training.watch()).stage
            (True, 'waiting: no worker is alive')
        """
        refs = [
            DatasetRef(source=each, columns=dict(columns or {}), split=split) if isinstance(each, str) else each
            for each in datasets
        ]
        return request_training(self.context, project, refs, with_annotations=with_annotations)


def _name(version: int | str | None) -> str:
    return "" if version is None else str(version)
