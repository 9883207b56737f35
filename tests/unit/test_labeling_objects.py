"""What a model is given of HyperText: what a browser would show, whatever the markup."""

import pytest

from annotune.labeling.objects import LabeledObject

HYPERTEXT = LabeledObject(name="page", tag="HyperText", field="html")
SHOWN = {
    "<p>one<p>two": "one\ntwo",
    "a<br>b<div>c</div>d": "a\nb\nc\nd",
    "<ul><li>1<li>2</ul>": "1\n2",
    "<b>bo</b>ld &amp; R&D &lt;i&gt;": "bold & R&D <i>",
    "<script>x</script>y<style>z</style>": "y",
    "<template><p>x</p></template>y": "y",
    "a</b>c": "ac",
    "1 < 2 and 3 > 2": "1 < 2 and 3 > 2",
    "<?xml version='1.0' encoding='latin-1'?><p>Größe \U0001f48a</p>": "Größe \U0001f48a",
    "<p>x</p><![foo[bar]]>": "x",
    "a<![CDATA[b > c]]>d": "a c]]>d",
    "<!DOCTYPE html><p>x": "x",
    "x\0y \ud83d": "xy \ufffd",
    "": "",
    "<!-- nothing -->": "",
}
# Each made the standard library's parser raise, or take minutes.
REPEATED = (
    "<!",
    "<a ",
    "<",
    "</a ",
    "&",
    "<!--",
    "<![CDATA[",
    "<![x[",
    "<div>",
    "<a href='",
    "<?",
    "<!DOCTYPE [",
    "<svg>",
)


@pytest.mark.parametrize(("markup", "text"), SHOWN.items())
def test_markup_is_shown_as_a_browser_shows_it(markup: str, text: str) -> None:
    assert HYPERTEXT.text({"html": markup}) == text


@pytest.mark.parametrize("piece", REPEATED)
def test_a_hostile_text_is_read_to_its_end(piece: str) -> None:
    assert "</p>" not in HYPERTEXT.text({"html": piece * 100_000 + "\n<p>the end</p>"})


def test_what_is_nested_deep_is_read_too() -> None:
    assert HYPERTEXT.text({"html": "<div>" * 100_000 + "the end"}) == "the end"
