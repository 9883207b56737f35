"""How a page looks: its contrast in light and dark, and pictures of it for the docs."""

from pathlib import Path

from page import LabelingPage
from playwright.sync_api import expect

READABLE = 4.5  # WCAG 2.2, 1.4.3: text
SHAPE = 3.0  # WCAG 2.2, 1.4.11: what is no text
SCHEMES = ("light", "dark")
BELOW = 60  # pixels of the page's bar below what it shows
CONTRAST = """([selector, part]) => {
  const [found, pseudo] = selector.split("::"), seen = document.querySelector(found);
  const parts = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => parts(color).slice(0, 3).map((share) => share / 255)
    .map((share) => share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4)
    .reduce((sum, share, at) => sum + share * [0.2126, 0.7152, 0.0722][at], 0);
  let behind = seen;
  while (parts(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
  const pair = [getComputedStyle(seen, pseudo && "::" + pseudo)[part], getComputedStyle(behind).backgroundColor].map(light);
  return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
}"""


def readable(tab: LabelingPage, selector: str, part: str = "color", *, least: float = READABLE) -> None:
    """It is readable in light and dark."""
    for scheme in (*SCHEMES, SCHEMES[0]):
        tab.page.evaluate("scheme => document.documentElement.dataset.colorScheme = scheme", scheme)
        assert tab.page.evaluate(CONTRAST, [selector, part]) >= least, (selector, scheme)


def take_pictures(tab: LabelingPage, folder: Path, names: list[str], *, width: int = 0) -> None:
    """Of the page in light, and in dark, where a second name is given; as high as what it shows.

    `width`: of the window, in pixels; 0: as it is.
    """
    window = tab.page.viewport_size
    assert window
    if width:
        tab.page.set_viewport_size({"width": width, "height": window["height"]})
    shown = tab.page.locator(".root").bounding_box()
    assert shown
    tab.page.set_viewport_size({"width": width or window["width"], "height": int(shown["y"] + shown["height"]) + BELOW})
    tab.page.mouse.move(0, 0)
    for name, scheme in zip(names, SCHEMES, strict=False):
        if tab.page.evaluate("() => document.documentElement.dataset.colorScheme") != scheme:
            tab.page.locator("button, label").filter(has_text="Light").last.click()
        expect(tab.page.locator(f"html[data-color-scheme={scheme}]")).to_be_attached()
        tab.page.locator(".lsf-sidepanels__content").screenshot(path=folder / f"{name}.png")
    tab.page.set_viewport_size(window)
