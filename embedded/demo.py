"""`make demo`: the whole training loop on this machine, with the real parts.

Label Studio asks a language model questions. The reference answers are submitted as corrections, the webhook starts a
training, and the tuned version answers the same questions.
"""

import argparse
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import NoReturn

import httpx
from rich.console import Console

from annotune.errors import AnnotuneError
from annotune.label_studio.client import LabelStudioClient
from annotune.runs import TrainingRun
from annotune.settings import load_settings
from annotune.split import MIN_HELD_OUT, assign_splits, text_sha
from annotune.store.store import Store
from curation.projects import create_project
from curation.templates import find_template
from embedded.annotator import Annotator
from embedded.formulary import Pair, formulary, general_knowledge
from embedded.processes import ServiceError
from embedded.quiz import Quiz, QuizQuestion, shortfalls
from embedded.report import closing_lines, results_table, scores_table
from embedded.stack import FOLDER, Stack, clean, missing_environments
from embedded.watch import watch_training

PROMPT = "Answer the question in one short sentence."
CONFIG = "question-answering"
SEED = 7
EXPECTED_ERRORS = (AnnotuneError, ServiceError, FileNotFoundError, httpx.HTTPError)


@dataclass(frozen=True)
class DemoOptions:
    """`swap_answers` submits the answers of other drugs as corrections. The tuned model must then fail the quiz."""

    seed: int
    exit: bool
    swap_answers: bool


@dataclass
class Stopwatch:
    """The duration of each stage in seconds, in order."""

    stages_s: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, console: Console) -> Iterator[None]:
        console.print(f"[bold]{name} ...[/]")
        began = time.monotonic()
        yield
        self.stages_s[name] = time.monotonic() - began
        console.print(f"  {self.stages_s[name]:.0f} s")


def main() -> None:
    options, cleaning = _options()
    console = Console()
    signal.signal(signal.SIGTERM, _terminated)
    try:
        if cleaning:
            for name in clean():
                console.print(f"deleted {name}")
            return
        sys.exit(demonstrate(options, console))
    except EXPECTED_ERRORS as error:
        sys.exit(f"The demo has stopped: {error}")
    except KeyboardInterrupt:
        sys.exit("Stopped. All programs that the demo started have ended.")


def _options() -> tuple[DemoOptions, bool]:
    parser = argparse.ArgumentParser(prog="python -m embedded.demo", description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED, help="which drugs are invented (default: %(default)s)")
    parser.add_argument("--exit", action="store_true", help="stop at the end; 0 only if the tuned version is better")
    parser.add_argument(
        "--swap-answers", action="store_true", help="submit answers of other drugs: must not end with 0"
    )
    parser.add_argument("--clean", action="store_true", help="delete from your own Ollama what the demo made there")
    arguments = parser.parse_args()
    return DemoOptions(arguments.seed, arguments.exit, arguments.swap_answers), arguments.clean


def _terminated(*_: object) -> NoReturn:
    sys.exit(143)


def demonstrate(options: DemoOptions, console: Console) -> int:
    """Run the demo. Returns the exit code: 0 only if the tuned version is live and better.

    Raises:
        FileNotFoundError: an environment is missing.
    """
    if missing := missing_environments():
        raise FileNotFoundError("; ".join(missing))
    pairs = (*formulary(options.seed), *general_knowledge())
    settings = {
        "RECIPE": "small",
        "TRAIN_EVERY": str(len(pairs)),
        "MIN_EXAMPLES": str(_training_count(pairs)),
        "NUM_CTX": "2048",
        "RECONCILE_S": "60",
    }
    clock = Stopwatch()
    stack = Stack(
        settings,
        ollama_host=load_settings().ollama_host,
        on_start=lambda part: console.print(f"  starting {part}"),
    )
    with ExitStack() as running:
        with clock.stage("Start", console):
            running.enter_context(stack)
        problems = run_loop(stack, pairs, options, clock, console)
        for line in closing_lines(stack, problems):
            console.print(line, soft_wrap=True)
        if not options.exit:
            console.print("Press Ctrl-C to stop everything.")
            threading.Event().wait()
    return 1 if problems else 0


def run_loop(
    stack: Stack, pairs: Sequence[Pair], options: DemoOptions, clock: Stopwatch, console: Console
) -> list[str]:
    """Run the loop once in a new project. Returns what went wrong, in sentences."""
    title = f"Medical questions, seed {options.seed}" + (" (answers swapped)" if options.swap_answers else "")
    with clock.stage("Make the project and connect it", console):
        project, questions = _project(stack, title, pairs)
        console.print(stack.deployment.run("connect", str(project)), highlight=False, soft_wrap=True)
    with (
        Annotator(stack.label_studio, project) as person,
        closing(Store.connect(stack.redis.url, deployment=stack.deployment.name, patience="job")) as store,
    ):
        with clock.stage(f"Ask the untrained model {len(questions)} questions", console):
            before = person.ask_all([question.task for question in questions], PROMPT)
        with clock.stage(f"Submit {len(pairs)} corrections", console):
            for question in questions[: len(pairs)]:
                answer = question.pair.swapped_answer if options.swap_answers else question.pair.answer
                person.submit(question.task, PROMPT, answer)
        with clock.stage("Train, as the webhook requested", console):
            run = watch_training(store, project, console, stack.deployment.worker)
        if run.state != "promoted" or run.version is None or store.live.get(project) != run.version.ref:
            return [f"no tuned version is live: the training ended as {run.state!r}: {run.reason}"]
        with clock.stage(f"Ask {run.version.name} the same questions", console):
            after = person.ask_all([question.task for question in questions], PROMPT)
    return _report(Quiz(questions, before, after), run, clock, console)


def _project(stack: Stack, title: str, pairs: Sequence[Pair]) -> tuple[int, list[QuizQuestion]]:
    """A new project's id, and its questions: first those to annotate, then the paraphrases."""
    shas = [text_sha(pair.question) for pair in pairs]
    splits = assign_splits({}, shas, _training_count(pairs), has_trained=False).splits
    trained = {pair for pair, sha in zip(pairs, shas, strict=True) if pair.invented and splits[sha] == "train"}
    questions = [(pair, False) for pair in pairs]
    questions += [(pair, True) for pair in pairs if pair in trained]
    with closing(LabelStudioClient(stack.label_studio.url, stack.label_studio.api_key)) as client:
        made = create_project(
            client,
            title=title,
            config=find_template(CONFIG).config,
            data=[{"question": pair.paraphrase if paraphrased else pair.question} for pair, paraphrased in questions],
        )
    return made.id, [
        QuizQuestion(task, pair, paraphrase=paraphrased, trained=pair in trained and not paraphrased)
        for task, (pair, paraphrased) in zip(made.tasks, questions, strict=True)
    ]


def _training_count(pairs: Sequence[Pair]) -> int:
    """The number of pairs in the training split. `MIN_EXAMPLES` is set to it, so the split is made when all are there."""
    return len(pairs) - MIN_HELD_OUT


def _report(quiz: Quiz, run: TrainingRun, clock: Stopwatch, console: Console) -> list[str]:
    """Print the results, write all of them to `report.json`, and return the shortfalls."""
    stages_s = clock.stages_s | {f"  {name}": seconds for name, seconds in run.stages_s.items()}
    console.print(results_table(quiz))
    console.print(scores_table(quiz, stages_s))
    report = {"stages_s": clock.stages_s, "run": run.model_dump(mode="json"), **quiz.as_dict()}
    (FOLDER / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    others = [name for name in quiz.versions_after if run.version is None or not name.startswith(run.version.model)]
    return shortfalls(quiz.before, quiz.after) + [f"{name} answered after the training" for name in others]


if __name__ == "__main__":
    main()
