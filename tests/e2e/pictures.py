"""Takes the README's picture: Label Studio with an answer of the tuned model. Run it while `make demo` is up, on a task
that is not annotated:

.venv/bin/python tests/e2e/picture.py PROJECT TASK docs/label-studio.png [--port 8080]
"""

import argparse
import shutil
from pathlib import Path

from page import labeling_page
from playwright.sync_api import expect, sync_playwright

from embedded.label_studio import LabelStudio
from embedded.stack import FOLDER, LABEL_STUDIO_PORT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=int)
    parser.add_argument("task", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--port", type=int, default=LABEL_STUDIO_PORT)
    given = parser.parse_args()
    studio = LabelStudio(FOLDER / "label-studio", given.port)
    with sync_playwright() as playwright:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        with labeling_page(browser, studio) as tab:
            tab.open(given.project, given.task)
            expect(tab.region("response")).to_be_visible()  # the prediction of an opened task
            tab.page.screenshot(path=given.file)
        browser.close()


if __name__ == "__main__":
    main()
