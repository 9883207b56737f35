"""Label Studio's labeling page in a browser. Selectors as found in 1.23.2."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from embedded.label_studio import LabelStudio

WAIT_MS = 90_000
AUTO_ANNOTATION = "[data-testid=bottombar-auto-annotation-toggle]"
SUBMIT = "[data-testid=bottombar-submit-button]"
UPDATE = "[data-testid=bottombar-update-button]"
LOADING = ".dm-label-view__loading, .lsf-spinner, .dm-spinner"
ASKED = "**/interactive-annotating**"


class LabelingPage:
    """One person's tab."""

    def __init__(self, page: Page, label_studio: LabelStudio) -> None:
        self.page = page
        self._url = label_studio.url

    def log_in(self, label_studio: LabelStudio) -> None:
        self.page.goto(f"{self._url}/user/login/")
        self.page.fill("input[name=email]", label_studio.email)
        self.page.fill("input[name=password]", label_studio.password)
        self.page.click("button[type=submit]")
        self.page.wait_for_url(lambda url: "/user/login" not in url)

    def open(self, project: int, task: int, *, asks: bool = True) -> None:
        """Open a task, and wait until the editor is no longer dimmed. Auto-Annotation is switched on.

        `asks`: whether the project has a backend; without one there is no such switch.
        """
        self.page.goto(f"{self._url}/projects/{project}/data?task={task}")
        expect(self.page.locator(f"{SUBMIT}:not([disabled]), {UPDATE}").first).to_be_visible(timeout=WAIT_MS)
        expect(self.page.locator(LOADING)).to_have_count(0)
        # A task that is opened by its address is asked for twice, and the later reply draws the editor anew.
        self.page.wait_for_load_state("networkidle")
        if asks:
            self.page.locator(AUTO_ANNOTATION).check(force=True)

    def open_predicted(self, project: int, task: int) -> None:
        """Open a task that a prediction fills.

        Label Studio (1.23.2) now and then draws nothing of a prediction that came with the task, and draws it when the task
        is opened anew: seen where the model answers at once.
        """
        self.open(project, task)
        if not self.region("prompt").count():
            self.open(project, task)
        expect(self.region("prompt")).to_be_visible()

    def open_new(self, project: int, task: int) -> None:
        """Open a task that is annotated, and begin another annotation of it. Auto-Annotation is switched on."""
        self.open(project, task)
        self.page.get_by_label("Create an annotation").click()
        expect(self.page.locator(SUBMIT)).to_be_visible()
        self.page.locator(AUTO_ANNOTATION).check(force=True)

    def region(self, control: str) -> Locator:
        """The text of a control's region."""
        return self.page.locator(f"[data-testid=htx-textbox-content][name^='{control}:']")

    def ask(self, prompt: str) -> str:
        """Type it and press Shift+Enter: the model's answer, which is on the page then."""
        box = self.page.locator("textarea[name=prompt]")
        box.click()
        box.fill(prompt)
        with self.page.expect_response(ASKED) as asked:
            box.press("Shift+Enter")
        answer: str = asked.value.json()["data"]["result"][0]["value"]["text"][0]
        expect(self.region("response")).to_have_text(" ".join(answer.split()))
        return answer

    def ask_again(self, prompt: str) -> list[dict[str, Any]]:
        """Change the prompt that stands there: the regions that come back."""
        with self.page.expect_response(ASKED) as asked:
            self.write("prompt", prompt)
        regions: list[dict[str, Any]] = asked.value.json()["data"]["result"]
        return regions

    def correct(self, answer: str) -> None:
        """Edit the answer as a person does: the pencil, another text, the tick."""
        self.write("response", answer)
        expect(self.region("response")).to_have_text(answer)

    def delete(self, control: str) -> None:
        """Press the bin beside a text."""
        self._view(control).locator("[aria-label='Delete Region']").click()
        expect(self.region(control)).to_have_count(0)

    def _view(self, control: str) -> Locator:
        view = self.page.locator("[data-testid=htx-textbox-view]").filter(has=self.region(control))
        view.hover()
        return view

    def write(self, control: str, text: str) -> None:
        """Edit a text as a person does, with the pencil beside it."""
        self._view(control).locator("[data-testid=htx-textbox-edit-button]").click()
        box = self.page.locator(f"textarea[name^='{control}:']")
        box.fill(text)
        box.press("Shift+Enter")

    def submit(self) -> None:
        with self.page.expect_response(lambda reply: "/annotations" in reply.url and reply.request.method == "POST"):
            self.page.locator(SUBMIT).click()


@contextmanager
def logged_in(browser: Browser, label_studio: LabelStudio, session: Path | None = None) -> Iterator[BrowserContext]:
    """A person's browser. `session` is the file that keeps the log-in for the next one; made if absent."""
    known = session if session and session.exists() else None
    context = browser.new_context(viewport={"width": 1400, "height": 900}, storage_state=known)
    context.set_default_timeout(WAIT_MS)
    expect.set_options(timeout=WAIT_MS)
    if not known:
        page = context.new_page()
        LabelingPage(page, label_studio).log_in(label_studio)
        page.close()
        if session:
            context.storage_state(path=session)
    yield context
    context.close()


@contextmanager
def labeling_page(browser: Browser, label_studio: LabelStudio) -> Iterator[LabelingPage]:
    """A logged-in tab that reaches Label Studio and nothing else."""
    with logged_in(browser, label_studio) as context:
        context.route(lambda url: not url.startswith(label_studio.url), lambda route: route.abort())
        yield LabelingPage(context.new_page(), label_studio)
