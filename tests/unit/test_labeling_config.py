"""Labeling configs as they are found in the field."""

import json
from pathlib import Path

import pytest

from annotune.errors import AnswerInvalid, LabelingInvalid, RequestInvalid
from annotune.labeling.config import Labeling
from annotune.labeling.prediction import Prediction
from annotune.labeling.regions import region_text

ARTICLE = Path(__file__).resolve().parent.parent / "data" / "article"
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
    '<View><Text name="t" value="$text"/><TextArea name="response" toName="t" value="&c;"/></View>'
)
EXTERNAL = (
    '<!DOCTYPE l [<!ENTITY secret SYSTEM "file:///etc/passwd">]>'
    '<View><Text name="t" value="$text"/><TextArea name="response" toName="t" value="&secret;"/></View>'
)
BROKEN = {
    "empty": ("", "no valid XML"),
    "blanks": (" \n ", "no valid XML"),
    "no XML": ("not XML", "no valid XML"),
    "JSON": ('{"label_config": "<View/>"}', "no valid XML"),
    "unclosed": ("<View><Text", "no valid XML"),
    "two roots": ("<View/><View/>", "no valid XML"),
    "NUL": ("<View>\0</View>", "no valid XML"),
    "entity bomb": (BOMB, "no valid XML"),
    "external entity": (EXTERNAL, "no valid XML"),
    "no control": ('<View><Text name="t" value="$text"/></View>', "no control that a model can fill"),
    "prompt alone": (
        '<View><Text name="t" value="$text"/><TextArea name="prompt" toName="t"/></View>',
        "no control that a model can fill",
    ),
    "unknown toName": (
        '<View><Text name="t" value="$text"/><TextArea name="response" toName="chat"/></View>',
        "toName='chat', which names no object",
    ),
    "no toName": ('<View><Text name="t" value="$text"/><TextArea name="response"/></View>', "names no object"),
    "nameless object": ('<View><Text value="$text"/><TextArea name="response" toName=""/></View>', "names no object"),
    "object without value": (
        '<View><Text name="t"/><TextArea name="response" toName="t"/></View>',
        "names no object with a value",
    ),
    "fixed text": (
        '<View><Text name="t" value="Hello"/><TextArea name="response" toName="t"/></View>',
        "let it show a field",
    ),
    "video": (
        '<View><Video name="i" value="$video"/><TextArea name="response" toName="i"/></View>',
        "cannot be read by a model",
    ),
    "stars beyond counting": (
        f'<View><Text name="t" value="$t"/><Rating name="r" toName="t" maxRating="{"9" * 5000}"/></View>',
        "let it be 1 to 100",
    ),
    "a bound that is no number": (
        '<View><Text name="t" value="$t"/><Number name="n" toName="t" min="nan"/></View>',
        "min='nan': write a number",
    ),
    "boxes alone": (
        '<View><Image name="i" value="$i"/><RectangleLabels name="r" toName="i"><Label value="a"/></RectangleLabels></View>',
        "no control that a model can fill",
    ),
}


def config(text: str = '<Text name="t" value="$text"/>', answer: str = "") -> str:
    prompt = '<TextArea name="prompt" toName="t"/>'
    return f'<View>{text}{prompt}<TextArea name="response" toName="t" {answer}/></View>'


@pytest.mark.parametrize(
    ("file", "field", "protects"),
    [("project1.xml", "question", False), ("project2.xml", "text", False), ("project3.xml", "text", False)],
)
def test_a_config_of_the_article_is_accepted_as_it_is(file: str, field: str, protects: bool) -> None:
    labeling = Labeling.parse((ARTICLE / file).read_text(encoding="utf-8"))

    assert (labeling.prompt_control, [control.name for control in labeling.controls]) == ("prompt", ["response"])
    assert [(item.name, item.tag, item.field) for item in labeling.objects] == [("chat", "Text", field)]
    assert labeling.protects_edits is protects


@pytest.mark.parametrize("file", ["project1.xml", "project2.xml", "project3.xml"])
def test_regions_for_a_config_of_the_article_pass_the_sdk(file: str) -> None:
    labeling = Labeling.parse((ARTICLE / file).read_text(encoding="utf-8"))
    regions = (
        labeling.text_region("prompt", ["Answer {text}"]),
        labeling.text_region("response", ["one", "two\nlines", ""]),
    )
    prediction = Prediction(result=regions, model_version="v0001@abc")

    assert labeling.check(prediction) is prediction


def test_a_text_with_a_toname_is_an_object_and_no_control() -> None:
    labeling = Labeling.parse((ARTICLE / "project1.xml").read_text(encoding="utf-8"))

    assert "summary" in {tag.name for tag in labeling.interface.objects}
    assert "summary" not in {tag.name for tag in labeling.interface.controls}


def test_the_config_itself_is_kept_as_it_came() -> None:
    text = (ARTICLE / "project1.xml").read_text(encoding="utf-8")

    assert Labeling.parse(text).config == text


@pytest.mark.parametrize(
    ("attribute", "protects"),
    [('smart="false"', True), ('smart="False"', True), ('smart="true"', False), ("", False)],
)
def test_only_smart_false_keeps_label_studio_from_asking_again(attribute: str, protects: bool) -> None:
    assert Labeling.parse(config(answer=attribute)).protects_edits is protects


@pytest.mark.parametrize(("text", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_config_that_cannot_be_served_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(LabelingInvalid, match=reason):
        Labeling.parse(text)


@pytest.mark.parametrize("depth", [200, 2000, 50_000])
def test_a_config_too_deep_to_read_is_refused(depth: int) -> None:
    with pytest.raises(LabelingInvalid, match="tags within each other"):
        Labeling.parse("<View>" * depth + config() + "</View>" * depth)


@pytest.mark.parametrize(
    ("prefix", "control", "filled"),
    [
        ("prompt", "prompt-medical", ["response", "instruction"]),
        ("instruction", "instruction", ["response", "prompt-medical"]),
        ("question", None, ["response", "prompt-medical", "instruction"]),
    ],
)
def test_the_prompt_control_is_the_one_whose_name_starts_with_the_prefix(
    prefix: str, control: str | None, filled: list[str]
) -> None:
    areas = ("response", "prompt-medical", "instruction")
    tags = "".join(f'<TextArea name="{name}" toName="t"/>' for name in areas)
    labeling = Labeling.parse(f'<View><Text name="t" value="$text"/>{tags}</View>', prefix)

    assert (labeling.prompt_control, [found.name for found in labeling.controls]) == (control, filled)


def test_an_answer_control_of_another_name_is_found() -> None:
    tags = '<TextArea name="prompt" toName="t"/><TextArea name="answer" toName="t"/>'
    (control,) = Labeling.parse(f'<View><Text name="t" value="$text"/>{tags}</View>').controls

    assert control.name == "answer"


def test_the_status_control_is_ours_and_never_filled_by_the_model() -> None:
    labeling = Labeling.parse(config(text='<Text name="t" value="$text"/><TextArea name="llm_status" toName="t"/>'))

    assert labeling.status_control == "llm_status"
    assert [control.name for control in labeling.controls] == ["response"]


def test_only_the_named_controls_are_filled_where_some_are_named() -> None:
    tags = "".join(f'<TextArea name="{name}" toName="t"/>' for name in ("response", "remark"))
    markup = f'<View><Text name="t" value="$text"/>{tags}</View>'

    assert [control.name for control in Labeling.parse(markup, only=("response", "other")).controls] == ["response"]
    assert len(Labeling.parse(markup, only=("other",)).controls) == 2


def test_the_value_of_a_text_is_itself() -> None:
    assert Labeling.parse(config()).text_of({"text": " <b>a</b> & b \n", "other": 1}) == " <b>a</b> & b \n"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>Dose: <b>5</b> mg</p><p>twice</p>", "Dose: 5 mg\ntwice"),
        ("a &lt; b &amp;&amp; c", "a < b && c"),
        ("Smith & Sons", "Smith & Sons"),
        ("AT&T", "AT&T"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("<style>p {color: red}</style><script>alert(1)</script>seen<!-- unseen -->", "seen"),
        ("<table><tr><td>a</td></tr><tr><td>b</td></tr></table>", "a\nb"),
        ("</script>seen", "seen"),
        ("no markup", "no markup"),
        ("<![if !IE]>seen<![endif]>", "seen"),
        ("seen<!", "seen"),
        (f"&#{'9' * 5000};", "\ufffd"),
        ("", ""),
    ],
)
def test_the_markup_of_a_hypertext_is_stripped(markup: str, text: str) -> None:
    labeling = Labeling.parse(config('<HyperText name="t" value="$html"/>'))

    assert labeling.text_of({"html": markup}) == text


@pytest.mark.parametrize(
    ("attributes", "turns"),
    [
        ("", [{"author": "Ann", "text": "Hi."}, {"author": "Ben", "text": "Ho."}]),
        ('nameKey="who" textKey="said"', [{"who": "Ann", "said": "Hi."}, {"who": "Ben", "said": "Ho."}]),
    ],
)
def test_a_dialogue_is_one_line_per_turn(attributes: str, turns: list[dict[str, str]]) -> None:
    labeling = Labeling.parse(config(f'<Paragraphs name="t" value="$turns" layout="dialogue" {attributes}/>'))

    assert labeling.text_of({"turns": turns}) == "Ann: Hi.\nBen: Ho."


def test_a_dialogue_of_unnamed_or_odd_turns_is_read_too() -> None:
    labeling = Labeling.parse(config('<Paragraphs name="t" value="$turns"/>'))

    assert labeling.text_of({"turns": [{"text": "Hi."}, "Ho.", 3, {"author": "Ann"}]}) == "Hi.\nHo.\n3\nAnn: "


@pytest.mark.parametrize(("value", "text"), [(None, ""), (3, "3"), ({"a": "é"}, '{"a": "é"}')])
def test_a_value_that_is_no_string_is_written_as_json(value: object, text: str) -> None:
    assert Labeling.parse(config()).text_of({"text": value}) == text


def test_a_task_without_the_field_is_refused_with_both_names() -> None:
    with pytest.raises(RequestInvalid, match=r"no field 'text'.*\['answer', 'question'\]"):
        Labeling.parse(config()).text_of({"question": "Why?", "answer": "So."})


BESIDE = (
    '<View><Text name="ask" value="$ask"/><Text name="a" value="$a"/>{more}<HyperText name="b" value="$b"/>'
    '<Choices name="better" toName="b"><Choice value="a"/><Choice value="b"/></Choices></View>'
)
COMPARED = {"ask": "Name a tree.", "a": "Oak 😀", "b": "<p>Brick</p>"}


def test_a_judgement_is_about_all_texts_of_the_page_in_its_order() -> None:
    labeling = Labeling.parse(BESIDE.format(more=""))

    assert labeling.text_of(COMPARED) == "ask:\nName a tree.\n\na:\nOak 😀\n\nb:\nBrick"
    assert labeling.regions('{"better": "a"}', COMPARED)[0]["to_name"] == "b"


def test_what_is_labelled_is_the_same_text_whatever_else_the_page_shows() -> None:
    more = Labeling.parse(BESIDE.format(more='<Text name="x" value="$x"/>'))
    pair = '<Text name="right" value="$b"/><Text name="left" value="$a"/>'
    compared = Labeling.parse(f'<View>{pair}<Pairwise name="better" toName="left,right"/></View>')

    assert more.labelled_text(COMPARED | {"x": "More."}) == "Brick"
    assert compared.labelled_text(COMPARED) == "left:\nOak 😀\n\nright:\n<p>Brick</p>"


@pytest.mark.parametrize("controls", ["left,right", "right,left"])
def test_objects_are_in_the_order_of_the_page_whatever_the_order_of_the_controls(controls: str) -> None:
    pair = '<Text name="left" value="$a"/><Text name="right" value="$b"/>'
    labeling = Labeling.parse(f'<View><Pairwise name="better" toName="{controls}"/>{pair}</View>')

    assert [item.name for item in labeling.objects] == ["left", "right"]


@pytest.mark.parametrize(
    "more",
    {
        "unreadable": '<Audio name="x" value="$x"/>',
        "a picture": '<Image name="x" value="$x"/>',
        "a fixed text": '<Text name="x" value="Look closely."/>',
        "an address": '<Text name="x" value="$x" valueType="url"/>',
        "not in the task": '<Text name="x" value="$y"/>',
        "nested": '<Text name="x" value="$x.body"/>',
        "empty": '<Text name="x" value="$empty"/>',
        "shown already": '<Text name="x" value="$b"/>',
        "shown later": '<View visibleWhen="choice-selected" whenTagName="better"><Text name="x" value="$x"/></View>',
        "hidden": '<View style="color: red; display : none"><View><Text name="x" value="$x"/></View></View>',
        "repeated": '<Repeater on="$x" indexFlag="{{i}}"><Text name="x_{{i}}" value="$x[{{i}}].a"/></Repeater>',
    }.values(),
)
def test_what_nobody_reads_beside_the_labelled_text_is_left_out(more: str) -> None:
    data = COMPARED | {"x": "Unseen", "empty": ""}

    with_it, without = (Labeling.parse(BESIDE.format(more=shown)) for shown in (more, ""))

    assert with_it.text_of(data) == without.text_of(data)


def test_one_free_text_is_written_from_what_it_labels_alone() -> None:
    shown = '<Text name="chat" value="$question"/><Text name="reference" value="$answer"/>'
    labeling = Labeling.parse(f'<View>{shown}<TextArea name="response" toName="chat"/></View>')

    assert labeling.text_of({"question": "Why?", "answer": "So."}) == "Why?"


def test_a_dialogue_gives_turns_only_where_it_is_all_that_is_shown() -> None:
    labeling = Labeling.parse(
        '<View><Text name="note" value="$note"/><Paragraphs name="t" value="$talk" nameKey="role" textKey="content"/>'
        '<Choices name="kind" toName="t"><Choice value="a"/><Choice value="b"/></Choices></View>'
    )
    talk = {"talk": [{"role": "user", "content": "Hi."}]}

    assert [turn.content for turn in labeling.turns_of(talk)] == ["Hi."]
    assert labeling.turns_of(talk | {"note": "Be brief."}) == ()
    assert labeling.text_of(talk | {"note": "Be brief."}) == "note:\nBe brief.\n\nt:\nuser: Hi."


def test_a_region_is_in_label_studios_wire_form() -> None:
    region = Labeling.parse(config()).text_region("response", ["yes"])

    assert region.pop("id")
    assert region == {"from_name": "response", "to_name": "t", "type": "textarea", "value": {"text": ["yes"]}}


def test_regions_have_ids_of_their_own() -> None:
    labeling = Labeling.parse(config())

    assert len({labeling.text_region("response", ["yes"])["id"] for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "change", [{"from_name": "label"}, {"to_name": "other"}, {"type": "choices"}, {"value": {"choices": ["a"]}}]
)
def test_a_region_that_does_not_fit_the_config_is_refused(change: dict[str, object]) -> None:
    labeling = Labeling.parse(config())

    with pytest.raises(LabelingInvalid, match="does not fit"):
        labeling.check(Prediction(result=(labeling.text_region("response", ["yes"]) | change,), model_version="v0001"))


@pytest.mark.parametrize("score", [-0.1, 2.5])
def test_a_score_out_of_range_is_refused(score: float) -> None:
    labeling = Labeling.parse(config())

    with pytest.raises(LabelingInvalid):
        labeling.check(Prediction((labeling.text_region("response", ["yes"]),), "v0001", score=score))


@pytest.mark.parametrize(
    ("regions", "text"),
    [
        ([{"from_name": "response", "value": {"text": ["a", "b"]}}], "a\nb"),
        ([{"from_name": "response", "value": {"text": "a"}}], "a"),
        ([{"from_name": "prompt", "value": {"text": ["p"]}}, {"from_name": "response", "value": {"text": ["a"]}}], "a"),
        ([{"from_name": "response", "value": {"text": [" \n"]}}], None),
        ([{"from_name": "response", "value": {"text": []}}], None),
        ([{"from_name": "response", "value": {"text": [None, 3]}}], None),
        ([{"from_name": "response", "value": {}}], None),
        ([{"from_name": "response", "value": None}], None),
        ([{"from_name": "response"}], None),
        ([{}], None),
        ([], None),
    ],
)
def test_the_text_of_a_region_is_read_whatever_its_shape(regions: list[dict[str, object]], text: str | None) -> None:
    assert region_text(regions, "response") == text


def test_a_span_that_does_not_fit_is_corrected_in_the_words_that_trained_models_know() -> None:
    labeling = Labeling.parse(
        '<View><Labels name="drug" toName="t"><Label value="Drug"/></Labels><Text name="t" value="$t"/></View>'
    )

    def correction(quote: str) -> str:
        with pytest.raises(AnswerInvalid) as refused:
            labeling.regions(json.dumps({"drug": [{"quote": quote, "label": "Drug"}]}), {"t": "aspirin or aspirin"})
        return str(refused.value)

    assert correction("ibuprofen") == ("\"drug\" quotes 'ibuprofen', which does not stand in the text: copy it exactly")
    assert correction("aspirin") == (
        "\"drug\" quotes 'aspirin', which stands in the text more than once: quote more words around it"
    )


def test_a_control_that_shares_the_prompts_name_is_not_filled() -> None:
    labeling = Labeling.parse(
        '<View><Text name="t" value="$t"/><TextArea name="prompt" toName="t"/><TextArea name="answer" toName="t"/>'
        '<Choices name="prompt" toName="t"><Choice value="a"/></Choices></View>'
    )

    assert [control.name for control in labeling.controls] == ["answer"]
