"""Collect: the examples that Label Studio has now become a dataset, with those of the datasets that were asked for."""

from collections import Counter
from collections.abc import Callable, Mapping

from annotune.deadline import Deadline
from annotune.errors import ConfigurationError, TrainingRefused
from annotune.recipe import Recipe, recipe_names
from annotune.servers.ollama import OllamaClient
from curation.dataset import Dataset, write_dataset
from curation.examples import ExampleSet
from curation.manifest import About
from curation.mixture import Mixture
from trainer.active_run import ActiveRun
from trainer.context import TrainerContext
from trainer.datasets import with_datasets
from trainer.retry import retry_until_available
from trainer.run_folder import check_disk

CHECK_S = 10
LEAST_FREE_BYTES = 2 << 30

ReadExamples = Callable[[TrainerContext, int], ExampleSet]


def collect(
    active: ActiveRun, context: TrainerContext, server: OllamaClient, read_examples: ReadExamples
) -> tuple[Recipe, Dataset]:
    """Load the recipe and write the dataset. Check that there are enough examples, a model server and a free disk.

    Raises:
        ConfigurationError: RECIPE is not set, or names no recipe.
        TrainingRefused: there are too few examples, or the disk is full.
        ModelServerError: the server did not answer.
        AnnotuneError: as `read_examples` and `with_datasets` raise.
    """
    with active.stage("collect"):
        recipe = load_recipe(context.settings.recipe)
        mixture = with_datasets(active, context, read_examples(context, active.run.project))
        example_set = mixture.examples
        about = About(left_out=dict(example_set.left_out), left_out_annotations=dict(example_set.left_out_ids))
        dataset = write_dataset(active.folder / "dataset", example_set.train, example_set.held_out, about)
        active.update(
            dataset=dataset.digest,
            annotations=tuple(dataset.contents),
            contents=tuple(dataset.contents.values()),
            examples=len(dataset.train),
            held_out=len(dataset.held_out),
            left_out=dict(example_set.left_out),
            datasets=mixture.datasets,
            prompt_sha=most_common_prompt(dataset),
            recipe=recipe.model_dump(mode="json"),
        )
        check_enough(mixture)
        retry_until_available(lambda: server.check(Deadline.after(CHECK_S)))
        check_disk(active.folder, LEAST_FREE_BYTES)
    return recipe, dataset


def load_recipe(name: str | None) -> Recipe:
    """The recipe of the setting RECIPE. Raises ConfigurationError."""
    if name is None:
        raise ConfigurationError(f"training is off: set RECIPE to one of {recipe_names()}, or to a file's path")
    return Recipe.load(name)


def most_common_prompt(dataset: Dataset) -> str:
    """The sha of the prompt that most examples have; empty if there are none."""
    shas = Counter(example.origin.prompt_sha for example in (*dataset.train, *dataset.held_out))
    return shas.most_common(1)[0][0] if shas else ""


def check_enough(mixture: Mixture) -> None:
    """Raise TrainingRefused if there are too few examples to train on, or too few that are held out."""
    if not mixture.examples.lacks:
        return
    told = [f"left out: {_counts(mixture.examples.left_out)}"]
    told += [f"of {found.source}: {_counts(found.left_out)}" for found in mixture.datasets]
    raise TrainingRefused(f"{mixture.examples.lacks} ({'; '.join(told)})")


def _counts(left_out: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {why}" for why, count in left_out.items()) or "none"
