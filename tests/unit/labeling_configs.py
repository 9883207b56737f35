"""Labeling configs with the tags and attributes that people use, each with a task, a good reply and bad ones."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HOUSE = Path(__file__).resolve().parents[2]
TEXT = "Take aspirin 100 mg with water. Aspirin thins the blood 😀; stop after 3 days."
DATA: dict[str, Any] = {
    "text": TEXT,
    "question": "How much aspirin?",
    "answer": "100 mg.",
    "html": "<p>Take <b>aspirin</b> daily.</p>",
    "dialogue": [{"author": "Ann", "text": "Hello"}, {"author": "Ben", "text": "Good day"}],
    "talk": [{"role": "user", "content": "Hello"}],
    "items": [{"id": "a", "title": "First", "body": "one"}, {"id": "b", "title": "Second", "body": "two"}],
    "table": {"name": "Ann", "age": 71},
    "image": "/data/upload/1/x.png",
    "left": "Short.",
    "right": "A longer answer.",
}
SHOWN = '<Text name="t" value="$text"/>'
PROMPT = '<TextArea name="prompt" toName="t"/>'
REFUSALS = ("I cannot answer that.", "", "null", "[]", "42", '"positive"', '{"', "{}", '{"other": 1}')


@dataclass(frozen=True)
class Case:
    """`good` is a reply as JSON fields, or a text where the config has one free text; `bad` are replies to refuse."""

    config: str
    good: Any
    bad: tuple[Any, ...] = ()
    objects: tuple[str, ...] = field(default=())

    @property
    def reply(self) -> str:
        return written(self.good)


def written(reply: object) -> str:
    return reply if isinstance(reply, str) else json.dumps(reply, ensure_ascii=False)


def view(*tags: str, shown: str = SHOWN) -> str:
    return f"<View>{shown}{''.join(tags)}</View>"


def choices(*values: str, name: str = "label", to: str = "t", more: str = "") -> str:
    inside = "".join(value if value.startswith("<") else f'<Choice value="{value}"/>' for value in values)
    return f'<Choices name="{name}" toName="{to}" {more}>{inside}</Choices>'


def house(path: str) -> str:
    return (HOUSE / path).read_text(encoding="utf-8")


SENTIMENT = choices("Positive", "Negative", "Neutral", name="sentiment", more='choice="single" showInLine="true"')
RESPONSE = '<TextArea name="response" toName="t" rows="4" editable="true" smart="false" maxSubmissions="1"/>'
RATING = '<Rating name="quality" toName="t" maxRating="5" icon="star" size="medium"/>'
DRUGS = '<Labels name="label" toName="t"><Label value="Drug" background="red"/><Label value="Dose"/></Labels>'
TREE = (
    '<Choice value="Drug"><Choice value="Painkiller"/><Choice value="Antibiotic"/></Choice>'
    '<Choice value="Device"><Choice value="Pump"/></Choice>'
)
PAIR = '<Text name="l" value="$left"/><Text name="r" value="$right"/>'

CASES = {
    "the article's first": Case(house("tests/data/article/project1.xml"), "An answer."),
    "the article's second": Case(house("tests/data/article/project2.xml"), "Questions?"),
    "the article's third": Case(house("tests/data/article/project3.xml"), "An answer, at\nlength."),
    "ours": Case(house("prompts/projects/question-answering/labeling.xml"), "100 mg."),
    "our classification": Case(
        house("prompts/projects/classification/labeling.xml"), {"label": "Neutral"}, ({"label": "Mixed"},)
    ),
    "our rated answer": Case(
        house("prompts/projects/rated-answer/labeling.xml"),
        {"response": "100 mg.", "use": "For staff only", "certainty": 3},
        ({"response": "100 mg.", "use": "For everybody", "certainty": 3},),
    ),
    "our spans": Case(
        house("prompts/projects/spans/labeling.xml"),
        {"label": [{"quote": "100 mg", "label": "Dose"}, {"quote": "Aspirin", "label": "Drug"}]},
        ({"label": [{"quote": "water", "label": "Drink"}]},),
    ),
    "our comparison": Case(
        house("prompts/projects/comparison/labeling.xml"), {"better": "Left"}, ({"better": "neither"},)
    ),
    "our dialogue": Case(house("prompts/projects/dialogue/labeling.xml"), "How can I help?"),
    "our image": Case(house("prompts/projects/image/labeling.xml"), "A pill."),
    "free text without a prompt": Case(view(RESPONSE), "100 mg."),
    "summary": Case(
        view(PROMPT, '<TextArea name="summary" toName="t" required="true" showSubmitButton="true"/>'), "In short."
    ),
    "translation of a HyperText": Case(
        view('<TextArea name="de" toName="t"/>', shown='<HyperText name="t" value="$html"/>'), "Täglich Aspirin 😀."
    ),
    "dialogue response": Case(
        view(RESPONSE, shown='<Paragraphs name="t" value="$dialogue" layout="dialogue"/>'), "How can I help?"
    ),
    "a list read": Case(view(RESPONSE, shown='<List name="t" value="$items"/>'), "The first."),
    "a table read": Case(view(RESPONSE, shown='<Table name="t" value="$table"/>'), "Ann is 71."),
    "image captioning": Case(view(RESPONSE, shown='<Image name="t" value="$image"/>'), "A pill."),
    "text classification": Case(
        view(PROMPT, SENTIMENT),
        {"sentiment": "Positive"},
        ({"sentiment": "Good"}, {"sentiment": ["Positive", "Negative"]}, {"sentiment": None}, {"sentiment": 1}),
    ),
    "single-radio": Case(
        view(choices("Yes", "No", more='choice="single-radio"')), {"label": "No"}, ({"label": "Maybe"},)
    ),
    "select layout": Case(
        view(choices("Yes", "No", more='layout="select"')), {"label": "Yes"}, ({"label": "Yes or no"},)
    ),
    "several choices": Case(
        view(choices("Pain", "Fever", "Cough", more='choice="multiple"')),
        {"label": ["Pain", "Cough"]},
        ({"label": ["Pain", "Sleep"]}, {"label": [["Pain"]]}, {"label": {"a": 1}}),
    ),
    "several choices, required": Case(
        view(choices("Pain", "Fever", more='choice="multiple" required="true"')), {"label": ["Fever"]}, ({"label": []},)
    ),
    "choices with an alias and a hint": Case(
        view(choices('<Choice value="Very good" alias="A" hint="no mistake"/>', '<Choice value="Bad" alias="B"/>')),
        {"label": "Very good"},
        ({"label": "Very"}, {"label": "C"}),
    ),
    "choices with predicted values": Case(
        view(choices('<Choice value="Sarcastic" predicted_values="irony, mocking"/>', '<Choice value="Plain"/>')),
        {"label": "Plain"},
        ({"label": "Not sarcastic"}, {"label": "I cannot tell"}),
    ),
    "choices within views": Case(
        view(choices("<View><Choice value='Left'/><View><Choice value='Right'/></View></View>")),
        {"label": "Right"},
        ({"label": "left or right"},),
    ),
    "nested choices": Case(
        view(choices(TREE, more='allowNested="true" choice="multiple"')),
        {"label": ["Drug > Painkiller", "Device > Pump"]},
        ({"label": ["Drug"]}, {"label": ["Painkiller > Drug"]}),
    ),
    "nested choices, one": Case(
        view(choices(TREE, more='allowNested="true"')),
        {"label": "Device > Pump"},
        ({"label": "Tube"}, {"label": "Device"}),
    ),
    "two classifications": Case(
        view(SENTIMENT, choices("Ward", "Pharmacy", name="place")),
        {"sentiment": "Neutral", "place": "Ward"},
        ({"sentiment": "Neutral"}, {"sentiment": "Ward", "place": "Ward"}),
    ),
    "taxonomy": Case(
        view(f'<Taxonomy name="kind" toName="t">{TREE}</Taxonomy>'),
        {"kind": ["Drug > Painkiller", "Device"]},
        ({"kind": []}, {"kind": ["Food"]}, {"kind": [["Drug", "Pump"]]}),
    ),
    "taxonomy of leaves": Case(
        view(f'<Taxonomy name="kind" toName="t" leafsOnly="true" maxUsages="1">{TREE}</Taxonomy>'),
        {"kind": ["Device > Pump"]},
        ({"kind": ["Device"]}, {"kind": ["Device > Pump", "Drug > Painkiller"]}),
    ),
    "rating": Case(
        view(RATING), {"quality": 4}, ({"quality": 0}, {"quality": 6}, {"quality": 2.5}, {"quality": "good"})
    ),
    "rating of ten": Case(view('<Rating name="quality" toName="t" maxRating="10"/>'), {"quality": 10}),
    "number": Case(
        view('<Number name="dose" toName="t" min="0" max="500" step="0.5"/>'),
        {"dose": 100.5},
        ({"dose": -1}, {"dose": 501}, {"dose": "100"}, {"dose": True}, '{"dose": 1e999}', '{"dose": NaN}'),
    ),
    "number without bounds": Case(view('<Number name="dose" toName="t"/>'), {"dose": -3}),
    "date": Case(
        view('<DateTime name="when" toName="t" only="date"/>'),
        {"when": "2024-05-31"},
        ({"when": "31 May"}, {"when": "2024-02-31"}, {"when": 2024}),
    ),
    "date and time": Case(
        view('<DateTime name="when" toName="t"/>'), {"when": "2024-05-31T14:30"}, ({"when": "noon"},)
    ),
    "time": Case(view('<DateTime name="when" toName="t" only="time"/>'), {"when": "14:30"}, ({"when": "25:00"},)),
    "date in a form": Case(
        view('<DateTime name="when" toName="t" only="date" format="%d.%m.%Y"/>'), {"when": "2024-05-31"}
    ),
    "pairwise": Case(
        view('<Pairwise name="better" toName="l,r" selectionStyle="border: 1px"/>', shown=PAIR),
        {"better": "right"},
        ({"better": "both"}, {"better": "r"}, {"better": None}),
    ),
    "pairwise with a reason": Case(
        view('<Pairwise name="better" toName="l,r"/>', '<TextArea name="why" toName="l"/>', shown=PAIR),
        {"better": "left", "why": "It is brief."},
        ({"better": "left"}, {"better": "left", "why": " "}),
    ),
    "spans": Case(
        view(DRUGS),
        {"label": [{"quote": "Take aspirin", "label": "Drug"}, {"quote": "3 days", "label": "Dose"}]},
        (
            {"label": [{"quote": "spirin", "label": "Drug"}]},
            {"label": [{"quote": "ibuprofen", "label": "Drug"}]},
            {"label": [{"quote": "3 days", "label": "Time"}]},
            {"label": [{"quote": " ", "label": "Drug"}]},
            {"label": ["3 days"]},
            {"label": "3 days"},
        ),
    ),
    "spans with an alias": Case(
        view('<Labels name="label" toName="t"><Label value="Drug name" alias="DRUG"/></Labels>'),
        {"label": [{"quote": "100 mg", "label": "Drug name"}]},
    ),
    "spans beside a class": Case(
        view(DRUGS, SENTIMENT), {"label": [{"quote": "😀", "label": "Dose"}], "sentiment": "Neutral"}
    ),
    "review": Case(
        view(PROMPT, RESPONSE, choices("Good", "Bad", name="verdict"), RATING),
        {"response": "100 mg.", "verdict": "Good", "quality": 5},
        ({"response": "", "verdict": "Good", "quality": 5}, {"response": "x", "verdict": "Good"}),
    ),
    "supervised fine-tuning": Case(
        view(PROMPT, RESPONSE, '<TextArea name="llm_status" toName="t" editable="false"/>'), "An answer."
    ),
    "question and reference": Case(
        view(
            '<Text name="t" value="$question"/><Text name="reference" value="$answer"/>',
            '<TextArea name="response" toName="t"/>',
            choices("Right", "Wrong", to="reference"),
            shown="",
        ),
        {"response": "100 mg.", "label": "Right"},
        ({"response": "100 mg.", "label": "right or wrong"},),
    ),
    "a box for people, a class for the model": Case(
        view(
            '<RectangleLabels name="box" toName="t"><Label value="Pill"/></RectangleLabels>',
            choices("Pill", "Syrup"),
            shown='<Image name="t" value="$image"/>',
        ),
        {"label": "Syrup"},
        ({"label": "Box"},),
    ),
    "assessment of a chatbot": Case(
        view(
            '<Rating name="likert" maxRating="7"/>',
            choices("Yes", "No", name="hallucination", more='choice="single-radio" showInline="true"'),
            choices("Yes", "No", name="harmful", more='choice="single-radio" showInline="true"'),
            shown='<Paragraphs name="t" value="$talk" layout="dialogue" nameKey="role" textKey="content"/>',
        ),
        {"hallucination": "No", "harmful": "No"},
        ({"hallucination": "No", "harmful": "I do not know"},),
    ),
    "what no model can read is for people": Case(
        view(
            '<Audio name="a" value="$audio"/>',
            choices("Clear", "Noisy", name="sound", to="a"),
            choices("Short", "Long"),
        ),
        {"label": "Short"},
    ),
    "per region controls are for people": Case(
        view(DRUGS, '<TextArea name="note" toName="t" perRegion="true"/>'),
        {"label": [{"quote": "100 mg", "label": "Dose"}]},
    ),
}
