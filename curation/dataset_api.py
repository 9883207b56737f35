"""The part of the Python API that makes datasets and looks into them."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from annotune.recipe import Recipe
from annotune.split import SplitName
from curation.annotated_rows import OnTasks
from curation.build import BuildRequest, BuiltDataset, build_dataset
from curation.context import CurationContext
from curation.dataset_check import CheckOptions, DatasetCheck, OnRows, check_dataset
from curation.dataset_reader import DatasetRow, read_rows
from curation.dataset_stats import DatasetStats, dataset_stats


class DatasetMethods:
    """The methods of `Annotune` about datasets. `context` is its deployment."""

    context: CurationContext

    def build_dataset(
        self,
        *projects: int,
        out: Path | str,
        prompt: int | Path | None = None,
        open_book: bool = False,
        names: bool = False,
        licence: str = "",
        pin_ground_truth: bool = False,
        on_tasks: OnTasks | None = None,
    ) -> BuiltDataset:
        """Build a dataset from the annotations of projects: train and eval files, a card and a manifest.

        `datasets.load_dataset` reads the folder. Built again from the same annotations, it is not changed. The sides of
        texts that have none yet are recorded: what trains is never held out later.

        Args:
            projects: their numbers.
            out: the folder. A dataset that Annotune built is replaced, anything else stays.
            prompt: the project whose prompt will be served, or a text file with the prompt. None: each project's own.
            open_book: keep the source texts in the chats. Otherwise they ask the question alone.
            names: put the annotators' names into the rows.
            licence: for the card and the manifest.
            pin_ground_truth: hold out the tasks that have a ground truth, unless their texts have trained.
            on_tasks: called with the number of tasks read so far.

        Raises:
            NotFound: there is no such project.
            RequestInvalid: the folder holds something else, the prompt cannot ask the question alone, or no annotation is
                usable.
            PromptMissing: the project or the file has no prompt.
            LabelingInvalid: a labeling config cannot be served.
            InUse: another process builds this dataset.

        Example:
            >>> built = annotune.build_dataset(5, out=folder, prompt=4)
            >>> built.manifest.counts, built.is_new
            ({'train': 1, 'eval': 0}, True)
            >>> sorted(path.name for path in built.folder.iterdir())
            ['README.md', 'eval.jsonl', 'manifest.json', 'train.jsonl']
        """
        request = BuildRequest(projects, Path(out), prompt, open_book, names, licence, pin_ground_truth)
        return build_dataset(self.context, request, on_tasks)

    def check_dataset(
        self,
        folder: Path | str,
        *,
        max_tokens: int | None = None,
        regions: Sequence[str] = ("US",),
        names: str | None = None,
        on_rows: OnRows | None = None,
    ) -> DatasetCheck:
        """Find what a person should look at: contradictions, doubles, rare labels, rows too long, personal data.

        Nothing is changed, and what is found holds no personal data.

        Args:
            folder: a dataset that `build_dataset` wrote.
            max_tokens: a row of more is too long. None: the recipe's `max_seq_length`, if the setting RECIPE is set.
            regions: the countries whose phone numbers are known without a leading `+`.
            names: a model of spaCy that finds names of persons. None: names are not looked for.
            on_rows: called with the number of rows checked so far.

        Raises:
            RequestInvalid: the folder is no dataset, a line in it is no row, or a region or the model is unknown.
            ConfigurationError: names are asked for, and spaCy is not installed.

        Example:
            >>> built = annotune.build_dataset(5, out=folder, prompt=4)
            >>> found = annotune.check_dataset(folder)
            >>> found.is_clean, found.findings
            (True, ())
            >>> found.notes[-1]
            'names were not looked for: --names takes a model of spaCy that finds them'
        """
        recipe = self.context.settings.recipe
        if max_tokens is None and recipe:
            max_tokens = Recipe.load(recipe).max_seq_length
        return check_dataset(Path(folder), CheckOptions(max_tokens, tuple(regions), names), on_rows)

    def dataset_stats(self, folder: Path | str) -> DatasetStats:
        """Count what is in a dataset: rows, how their answers came to be, models, annotators, labels and lengths.

        Args:
            folder: a dataset that `build_dataset` wrote.

        Raises:
            RequestInvalid: the folder is no dataset, or a line in it is no row.

        Example:
            >>> built = annotune.build_dataset(5, out=folder, prompt=4)
            >>> stats = annotune.dataset_stats(folder)
            >>> stats.rows, stats.kinds
            ({'train': 1, 'eval': 0}, {'typed': 1})
            >>> stats.lengths["question"].largest
            11
        """
        return dataset_stats(Path(folder))

    def dataset_rows(
        self, folder: Path | str, ids: Iterable[int] = (), *, split: SplitName | None = None
    ) -> Iterator[DatasetRow]:
        """The rows of a dataset, read one by one.

        Args:
            folder: a dataset that `build_dataset` wrote.
            ids: of the rows. None given: all rows.
            split: `train` or `eval`. None: both.

        Raises:
            NotFound: a row that is asked for is not there. All others were returned before.
            RequestInvalid: the folder is no dataset, or a line in it is no row.

        Example:
            >>> built = annotune.build_dataset(5, out=folder, prompt=4)
            >>> [row.question for row in annotune.dataset_rows(folder, split="train")]
            ['Question 0?']
        """
        return read_rows(Path(folder), ids, split)
