"""Replies of models, good and bad, over the configs that people use."""

import json
import random
from contextlib import suppress

import pytest
from labeling_configs import CASES, DATA, DRUGS, REFUSALS, SHOWN, Case, choices, view, written

from annotune.errors import AnswerInvalid, LabelingInvalid
from annotune.labeling.config import Labeling
from annotune.labeling.controls import MAX_TEXT_CHARACTERS
from annotune.labeling.prediction import Prediction
from annotune.labeling.reply_json import MAX_REPLY_CHARACTERS

BAD = [(name, written(reply)) for name, case in CASES.items() for reply in case.bad]
STRUCTURED = [name for name, case in CASES.items() if not isinstance(case.good, str)]


def test_there_are_configs_enough() -> None:
    assert len(CASES) >= 30


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_good_reply_becomes_regions_that_label_studio_takes_and_reads_back(case: Case) -> None:
    labeling = Labeling.parse(case.config)
    regions = labeling.regions(case.reply, DATA)
    prediction = Prediction(tuple(regions), "base@1", score=0.5)

    assert labeling.check(prediction) is prediction
    assert labeling.interface.validate_prediction(prediction.as_dict()) or any(
        not control.known_to_sdk for control in labeling.controls
    )
    read = labeling.answer(regions) or ""
    assert (read if labeling.free_text else json.loads(read)) == case.good


@pytest.mark.parametrize(("name", "reply"), BAD, ids=[f"{name}: {reply[:40]}" for name, reply in BAD])
def test_a_reply_that_does_not_fit_is_refused(name: str, reply: str) -> None:
    with pytest.raises(AnswerInvalid):
        Labeling.parse(CASES[name].config).regions(reply, DATA)


@pytest.mark.parametrize("name", STRUCTURED)
@pytest.mark.parametrize("reply", REFUSALS)
def test_a_refusal_is_never_a_label(name: str, reply: str) -> None:
    with pytest.raises(AnswerInvalid):
        Labeling.parse(CASES[name].config).regions(reply, DATA)


@pytest.mark.parametrize("name", STRUCTURED)
@pytest.mark.parametrize("around", ["```json\n{}\n```", "Sure, here it is:\n{}", "{}\nI hope that helps!", " \n{}\t"])
def test_words_and_fences_around_the_object_are_passed_over(name: str, around: str) -> None:
    case = CASES[name]
    labeling = Labeling.parse(case.config)
    said = labeling.regions(around.replace("{}", case.reply), DATA)

    assert json.loads(labeling.answer(said) or "") == case.good


@pytest.mark.parametrize("name", STRUCTURED)
def test_two_objects_are_one_too_many(name: str) -> None:
    reply = CASES[name].reply
    with pytest.raises(AnswerInvalid, match="more than one"):
        Labeling.parse(CASES[name].config).regions(f"{reply}\n{reply}", DATA)


@pytest.mark.parametrize("name", STRUCTURED)
def test_further_fields_are_ignored_and_double_ones_refused(name: str) -> None:
    case = CASES[name]
    labeling = Labeling.parse(case.config)
    more = json.dumps(case.good | {"__class__": "x", "thoughts": "hm"})
    assert json.loads(labeling.answer(labeling.regions(more, DATA)) or "") == case.good

    twice = f"{case.reply[:-1]}, {case.reply[1:]}"
    with pytest.raises(AnswerInvalid):
        labeling.regions(twice, DATA)


@pytest.mark.parametrize(
    ("config", "said", "stored"),
    [
        ("choices with an alias and a hint", "very GOOD", "A"),
        ("choices with an alias and a hint", "b", "B"),
        ("choices with predicted values", "Irony", "Sarcastic"),
        ("choices with predicted values", " plain ", "Plain"),
    ],
)
def test_a_label_is_found_by_its_names_and_stored_as_the_editor_does(config: str, said: str, stored: str) -> None:
    (region,) = Labeling.parse(CASES[config].config).regions(json.dumps({"label": said}), DATA)

    assert region["value"] == {"choices": [stored]}


def test_a_name_that_two_labels_share_but_for_its_case_must_be_exact() -> None:
    labeling = Labeling.parse(view(choices("us", "US")))

    assert [labeling.regions(f'{{"label": "{said}"}}', DATA)[0]["value"] for said in ("us", "US")] == [
        {"choices": ["us"]},
        {"choices": ["US"]},
    ]
    with pytest.raises(AnswerInvalid):
        labeling.regions('{"label": "Us"}', DATA)


def test_a_leaf_is_found_by_its_own_name_only_where_no_other_has_it() -> None:
    ear = '<Choice value="Ear"><Choice value="Left"/><Choice value="Drum"/></Choice>'
    eye = '<Choice value="Eye"><Choice value="Left"/></Choice>'
    labeling = Labeling.parse(view(choices(ear, eye, more='allowNested="true"')))
    (region,) = labeling.regions('{"label": "Drum"}', DATA)

    assert region["value"] == {"choices": [["Ear", "Drum"]]}
    with pytest.raises(AnswerInvalid):
        labeling.regions('{"label": "Left"}', DATA)


def test_a_model_is_told_the_labels_and_their_hints() -> None:
    labeling = Labeling.parse(CASES["choices with an alias and a hint"].config)

    assert labeling.labels == ("Very good", "Bad")
    assert '"label": one of "Very good" (no mistake), "Bad"' in labeling.instruction


ASTRAL = {
    "two emoji": "😀😀 Take Zorvaxil 20 mg.",
    "a family, which is seven": "Ask 👨‍👩‍👧‍👦 and take Zorvaxil.",
    "a flag": "🇫🇷 Zorvaxil",
    "a combining accent": "cafe\u0301 Zorvaxil",
    "CR and LF": "one\r\ntwo\r\nZorvaxil",
    "a byte order mark and U+2028": "\ufeffone\u2028Zorvaxil",
    "half a surrogate pair": "\ud83d and Zorvaxil",
    "old letters": "𐎠𐎡 Zorvaxil",
}


@pytest.mark.parametrize("text", ASTRAL.values(), ids=ASTRAL)
def test_offsets_of_spans_count_code_points_as_the_editor_does(text: str) -> None:
    reply = '{"label": [{"quote": "Zorvaxil", "label": "Drug"}]}'
    (region,) = Labeling.parse(CASES["spans"].config).regions(reply, {"text": text})
    start = text.index("Zorvaxil")

    assert region["value"] == {"start": start, "end": start + 8, "text": "Zorvaxil", "labels": ["Drug"]}


def test_a_quote_with_an_emoji_ends_where_the_editor_ends_it() -> None:
    reply = '{"label": [{"quote": "blood 😀; stop", "label": "Dose"}]}'
    (region,) = Labeling.parse(CASES["spans"].config).regions(reply, DATA)

    assert DATA["text"][region["value"]["start"] : region["value"]["end"]] == "blood 😀; stop"


def span(start: object, end: object, text: str = "aspirin", label: str = "Drug") -> dict:
    return {
        "from_name": "label",
        "type": "labels",
        "value": {"start": start, "end": end, "text": text, "labels": [label]},
    }


@pytest.mark.parametrize(
    ("regions", "read"),
    [
        ([span(5, 12), span(5, 12)], [("aspirin", "Drug")]),
        (
            [span(13, 19, "100 mg", "Dose"), span(5, 12), span(13, 19, "100 mg", "Dose")],
            [("100 mg", "Dose"), ("aspirin", "Drug")],
        ),
        ([span(5, 12), span(5, 12, label="Dose")], [("aspirin", "Drug"), ("aspirin", "Dose")]),
        ([span(5, 12), span(40, 47)], [("aspirin", "Drug"), ("aspirin", "Drug")]),
        ([span([5], {}), span([5], {})], [("aspirin", "Drug")]),
    ],
    ids=["asked twice", "in their order", "another label", "another place", "odd offsets"],
)
def test_a_span_that_is_there_twice_is_read_once(regions: list[dict], read: list[tuple[str, str]]) -> None:
    answer = json.loads(Labeling.parse(CASES["spans"].config).answer(regions) or "")

    assert [(found["quote"], found["label"]) for found in answer["label"]] == read


FOREST = (
    '<Choice value="A"><Choice value="A1"/><Choice value="A2"/></Choice>'
    '<Choice value="B" alias="bee"><Choice value="B1" alias="b-one"/></Choice>'
    '<Choice value="C"><Choice value="C1"><Choice value="C11"/><Choice value="C12"/></Choice><Choice value="C2"/></Choice>'
    '<Choice value="D"/>'
)
# As Label Studio's page (1.23.2) stores what is ticked by hand.
TICKED = [
    ([["A", "A1"]], ["A > A1"]),
    ([["A"], ["A", "A1"], ["A", "A2"]], ["A > A1", "A > A2"]),
    ([["bee"], ["bee", "b-one"]], ["B > B1"]),
    ([["C", "C1"], ["C", "C1", "C11"], ["C", "C1", "C12"]], ["C > C1 > C11", "C > C1 > C12"]),
    (
        [["C"], ["C", "C1"], ["C", "C1", "C11"], ["C", "C1", "C12"], ["C", "C2"]],
        ["C > C1 > C11", "C > C1 > C12", "C > C2"],
    ),
    ([["A", "A1"], ["bee"], ["bee", "b-one"]], ["A > A1", "B > B1"]),
    ([["D"]], ["D"]),
]


@pytest.mark.parametrize("choice", ["multiple", "single"])
@pytest.mark.parametrize(("stored", "leaves"), TICKED)
def test_nested_choices_of_a_person_are_read_as_the_leaves(choice: str, stored: list, leaves: list[str]) -> None:
    labeling = Labeling.parse(view(choices(FOREST, more=f'allowNested="true" choice="{choice}"')))
    region = {"from_name": "label", "to_name": "t", "type": "choices", "value": {"choices": stored}}

    one = choice == "single" and len(leaves) == 1
    assert json.loads(labeling.answer([region]) or "null") == {"label": leaves[0] if one else leaves}


@pytest.mark.parametrize(
    "stored", [[["A"]], [["A", "X"]], [["A"], ["C", "C2"]], [["A", "A1"], ["X"]], [[3]], ["A1"], "A", []]
)
def test_a_parent_without_a_leaf_or_a_strange_path_is_no_answer(stored: object) -> None:
    labeling = Labeling.parse(view(choices(FOREST, more='allowNested="true" required="true" choice="multiple"')))
    region = {"from_name": "label", "to_name": "t", "type": "choices", "value": {"choices": stored}}

    assert labeling.answer([region]) is None


@pytest.mark.parametrize(
    ("control", "said", "value"),
    [
        (choices('<Choice value="Yes "/>', "No"), "Yes", {"choices": ["Yes "]}),
        (choices('<Choice value="No" alias=" n "/>', "Yes"), "No", {"choices": [" n "]}),
        (
            choices('<Choice value="A "><Choice value=" A1 "/></Choice>', more='allowNested="true"'),
            "A > A1",
            {"choices": [["A ", " A1 "]]},
        ),
        (
            '<Taxonomy name="label" toName="t"><Choice value="A "><Choice value=" A1"/></Choice></Taxonomy>',
            ["A > A1"],
            {"taxonomy": [["A ", " A1"]]},
        ),
        (
            '<Labels name="label" toName="t"><Label value="Drug "/></Labels>',
            [{"quote": "100 mg", "label": "Drug"}],
            {"start": 13, "end": 19, "text": "100 mg", "labels": ["Drug "]},
        ),
    ],
)
def test_blanks_around_a_label_are_stored_as_the_editor_stores_them(control: str, said: object, value: dict) -> None:
    labeling = Labeling.parse(view(control))
    regions = labeling.regions(json.dumps({"label": said}), DATA)

    assert [region["value"] for region in regions] == [value]
    assert labeling.check(Prediction(tuple(regions), "base@1"))
    assert json.loads(labeling.answer(regions) or "") == {"label": said}


def test_a_pairwise_comes_last_since_the_page_drops_what_follows_it() -> None:
    case = CASES["pairwise with a reason"]
    made = Labeling.parse(case.config).regions(case.reply, DATA)

    assert [region["type"] for region in made] == ["textarea", "pairwise"]


PAIR_SHOWN = '<Text name="t" value="$text"/><Text name="u" value="$right"/>'
HYPER = '<HyperText name="t" value="$html"/>'
NOT_PLAIN = {
    "a HyperText": (HYPER, '<Labels name="span" toName="t"><Label value="Drug"/></Labels>', "of a HyperText"),
    "a dialogue": (
        '<Paragraphs name="t" value="$talk"/>',
        '<Labels name="span" toName="t"><Label value="Drug"/></Labels>',
        "of a Paragraphs",
    ),
    "a picture": (
        '<Image name="t" value="$image"/>',
        '<Labels name="span" toName="t"><Label value="Drug"/></Labels>',
        "of a Image",
    ),
    "two texts": (PAIR_SHOWN, '<Labels name="span" toName="t,u"><Label value="Drug"/></Labels>', "of one object"),
    "a text from an address": (
        '<Text name="t" value="$text" valueType="url"/>',
        '<Labels name="span" toName="t"><Label value="Drug"/></Labels>',
        "valueType='url'",
    ),
    "an encoded text": (
        '<Text name="t" value="$text" encoding="base64"/>',
        '<Labels name="span" toName="t"><Label value="Drug"/></Labels>',
        "encoding='base64'",
    ),
    "a rating of two texts": (PAIR_SHOWN, '<Rating name="span" toName="t,u"/>', "of one object"),
    "a taxonomy of marked words": (
        SHOWN,
        '<Taxonomy name="span" toName="t" labeling="true"><Choice value="Drug"/></Taxonomy>',
        "labeling='true'",
    ),
}


@pytest.mark.parametrize("more", ['valueType="text"', 'encoding="none"', 'encoding=""', 'granularity="word"'])
def test_spans_of_a_text_that_shows_its_own_words_are_filled(more: str) -> None:
    labeling = Labeling.parse(view(DRUGS, shown=f'<Text name="t" value="$text" {more}/>'))

    assert [control.name for control in labeling.controls] == ["label"]


@pytest.mark.parametrize(("shown", "control", "reason"), NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_what_a_model_cannot_place_is_left_to_people(shown: str, control: str, reason: str) -> None:
    beside = view(control, choices("Short", "Long"), shown=shown)

    assert [found.name for found in Labeling.parse(beside).controls] == ["label"]
    with pytest.raises(LabelingInvalid, match=f"{reason}.*add another control"):
        Labeling.parse(view(control, shown=shown))
    with pytest.raises(LabelingInvalid, match=f"{reason}.*ANSWER_CONTROLS"):
        Labeling.parse(beside, only=("span", "label"))


def test_a_pairwise_names_itself_as_its_object_as_the_editor_does() -> None:
    (region,) = Labeling.parse(CASES["pairwise"].config).regions('{"better": "left"}', DATA)

    assert (region["from_name"], region["to_name"], region["type"]) == ("better", "better", "pairwise")


@pytest.mark.parametrize("value", [{"selected": "middle"}, {"selected": ["left"]}, {}])
def test_what_the_sdk_does_not_know_is_checked_by_us(value: dict) -> None:
    labeling = Labeling.parse(CASES["pairwise"].config)
    (region,) = labeling.regions('{"better": "left"}', DATA)
    with pytest.raises(LabelingInvalid, match="better"):
        labeling.check(Prediction((region | {"value": value},), "base@1"))


def test_a_control_that_is_hidden_gets_no_region() -> None:
    where = 'visibleWhen="choice-selected" whenTagName="verdict" whenChoiceValue="Bad"'
    config = (
        '<View><Text name="t" value="$text"/><Choices name="verdict" toName="t"><Choice value="Good"/><Choice value="Bad"/>'
        f'</Choices><View {where}><TextArea name="why" toName="t"/></View></View>'
    )
    labeling = Labeling.parse(config)
    shown = [labeling.regions(f'{{"verdict": "{said}", "why": "so"}}', DATA) for said in ("Good", "Bad")]

    assert [[region["from_name"] for region in regions] for regions in shown] == [["verdict"], ["verdict", "why"]]


HOSTILE = [
    "{" * 100_000,
    "[" * 100_000,
    '{"a":' * 50_000 + "1" + "}" * 50_000,
    '{"label": ' + "9" * 5_000 + "}",
    '{"label": "' + "x" * (MAX_REPLY_CHARACTERS + 1) + '"}',
    '{"label": "\\ud800"}',
    '{"label": "a\\u0000b"}',
    '{"label": "{label.__class__}"}',
    '{"label": {"__proto__": []}}',
    '{"label": "Positive", "label": "Negative"}',
    '{"label": -Infinity}',
    '\ufeff{"label": "Positive"}',
    "\x00" * 1000,
    "<script>alert(1)</script>",
    '{"label": [' + '{"quote": "a", "label": "Drug"},' * 2000 + "1]}",
    '{"label": [' + ",".join(['{"quote": "mg", "label": "Drug"}'] * 501) + "]}",
]
PIECES = [
    '"label"',
    '"quote"',
    '"sentiment"',
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    '"',
    "\\",
    "\\u",
    "1e9",
    "-",
    "true",
    "null",
]
PIECES += [
    "Positive",
    "Drug",
    "aspirin",
    "\ud83d",
    "\u202e",
    "\x00",
    "\n",
    "NaN",
    "😀",
    "%s",
    "{text}",
    "../",
    "'",
]


def hostile_replies() -> list[str]:
    source = random.Random(20240531)  # noqa: S311 - a corpus that is the same each time
    made = ["".join(source.choices(PIECES, k=source.randint(1, 60))) for _ in range(100)]
    for case in list(CASES.values()) * 3:
        letters = list(case.reply)
        for _ in range(source.randint(1, 4)):
            letters[source.randrange(len(letters))] = source.choice(PIECES)
        made.append("".join(letters))
    return [*HOSTILE, *made]


def test_there_are_hostile_replies_enough() -> None:
    assert len(set(hostile_replies())) >= 200


@pytest.mark.parametrize(
    "name", ["free text without a prompt", "text classification", "spans", "review", "number", "taxonomy"]
)
def test_a_hostile_reply_is_refused_or_fits(name: str) -> None:
    labeling = Labeling.parse(CASES[name].config)
    for reply in hostile_replies():
        with suppress(AnswerInvalid):
            regions = labeling.regions(reply, DATA)
            labeling.check(Prediction(tuple(regions), "base@1"))
            assert len(json.dumps(regions)) <= 8 * MAX_TEXT_CHARACTERS
            assert json.dumps(labeling.answer(regions), ensure_ascii=False).encode()


@pytest.mark.parametrize("name", STRUCTURED)
def test_what_is_told_of_a_hostile_reply_is_bounded(name: str) -> None:
    labeling = Labeling.parse(CASES[name].config)
    told = []
    for reply in HOSTILE:
        try:
            labeling.regions(reply, DATA)
        except AnswerInvalid as error:
            told.append(str(error))

    assert len(told) > len(HOSTILE) / 2
    assert max(map(len, told)) < len(labeling.instruction) + 300
