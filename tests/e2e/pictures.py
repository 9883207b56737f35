"""Takes README's pictures of one task: the base model's answer, a person's correction, the tuned model's answer.

The loop is that of `make demo`, with a browser for this one task. It takes as long: 5 to 11 minutes on two cores.

.venv/bin/python tests/e2e/pictures.py docs
"""

import argparse
import shutil
import tempfile
from contextlib import closing
from pathlib import Path

from page import LabelingPage, labeling_page
from playwright.sync_api import sync_playwright
from rich.console import Console

from annotune.label_studio.client import LabelStudioClient
from annotune.split import MIN_HELD_OUT, assign_splits, text_sha
from annotune.store.redis import connect_redis
from annotune.store.store import Store
from curation.projects import create_project
from curation.templates import find_template
from embedded.annotator import Annotator
from embedded.demo import CONFIG, PROMPT, SEED
from embedded.formulary import Pair, formulary, general_knowledge
from embedded.stack import Stack
from embedded.watch import watch_training

WINDOW = {"width": 1400, "height": 560}


class Camera:
    """Pictures of a task's page without what Label Studio has around it."""

    def __init__(self, tab: LabelingPage, folder: Path) -> None:
        self._tab, self._folder = tab, folder
        tab.page.set_viewport_size(WINDOW)

    def take(self, name: str, *, pointed_at: str = "") -> None:
        """`pointed_at`: the control under the mouse, which then shows its pencil and its bin."""
        self._tab.page.add_style_tag(content="* { transition: none !important; }")
        self._tab.page.mouse.move(0, 0)
        if pointed_at:
            self._tab.region(pointed_at).hover()
        self._tab.page.locator(".lsf-sidepanels__content").screenshot(path=self._folder / f"{name}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures are put")
    folder: Path = parser.parse_args().folder
    pairs = [*formulary(SEED), *general_knowledge()]
    trained = len(pairs) - MIN_HELD_OUT
    shas = [text_sha(pair.question) for pair in pairs]
    sides = assign_splits({}, shas, trained, has_trained=False).splits
    shown = next(pair for pair, sha in zip(pairs, shas, strict=True) if sides[sha] == "train")
    settings = {
        "RECIPE": "small",
        "TRAIN_EVERY": str(len(pairs)),
        "MIN_EXAMPLES": str(trained),
        "NUM_CTX": "2048",
        "RECONCILE_S": "60",
    }
    with (
        tempfile.TemporaryDirectory() as state,
        Stack(settings, folder=Path(state)) as stack,
        sync_playwright() as tools,
    ):
        program = shutil.which("chromium") or shutil.which("google-chrome")
        browser = tools.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        with labeling_page(browser, stack.label_studio) as tab:
            run_loop(stack, pairs, shown, tab, Camera(tab, folder))
        browser.close()


def run_loop(stack: Stack, pairs: list[Pair], shown: Pair, tab: LabelingPage, camera: Camera) -> None:
    """Correct `shown` in the browser and the others by the calls that the page makes, train, and ask the same again."""
    with closing(LabelStudioClient(stack.label_studio.url, stack.label_studio.api_key)) as client:
        project = create_project(
            client,
            title="Medical questions",
            config=find_template(CONFIG).config,
            data=[{"question": pair.question} for pair in pairs],
        )
    stack.deployment.run("connect", str(project.id))
    tasks = dict(zip(pairs, project.tasks, strict=True))
    task = tasks.pop(shown)

    tab.open(project.id, task)
    tab.ask(PROMPT)
    camera.take("asked")
    tab.correct(shown.answer)
    camera.take("corrected", pointed_at="response")
    tab.submit()

    with Annotator(stack.label_studio, project.id) as person:
        person.ask_all(list(tasks.values()), PROMPT)
        for pair, other in tasks.items():
            person.submit(other, PROMPT, pair.answer)
    with connect_redis(stack.redis.url, patience="job", decode=True) as redis:
        store = Store(redis, deployment=stack.deployment.name)
        run = watch_training(store, project.id, Console(), stack.deployment.worker)
    assert run.state == "promoted", run.reason

    tab.open_new(project.id, task)
    tab.ask(PROMPT)
    camera.take("learnt")


if __name__ == "__main__":
    main()
