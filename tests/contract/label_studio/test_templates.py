"""What a model reads of each template: never a reference that its prompt does not name, and never what people judged."""

import json
import re
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import fromstring
from fake_model import Backend, MakeBackend

from annotune.chat import ChatRequest
from annotune.label_studio.rows import AnnotationRow, TaskRow
from annotune.labeling.config import Labeling
from annotune.labeling.regions import TYPED
from annotune.project_options import ProjectOptions
from annotune.settings import Settings
from annotune.split import assign_splits
from curation.annotation import ExampleMaker
from curation.examples import collect_examples
from curation.templates import Template, templates

ASKED = [template for template in templates() if template.fills]
PEOPLE = ("prompt", "llm_status")
PROJECT = 4  # that the fake Label Studio asks about
HIDDEN = "only people see this"
EACH = pytest.mark.parametrize("template", ASKED, ids=lambda template: template.name)
AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


def hidden_fields(template: Template) -> list[str]:
    """The fields of a task that no control labels, and that the prompt does not name: the reference among them."""
    told = {item.field for item in parsed(template).objects} | set(re.findall(r"{(\w+)}", template.prompt))
    return [name for name in template.sample_tasks()[0] if name not in told]


def task(template: Template) -> dict[str, Any]:
    """A sample task whose hidden fields are marked."""
    data = template.sample_tasks()[0] | dict.fromkeys(hidden_fields(template), HIDDEN)
    return {"id": 1, "data": data, "annotations": [], "predictions": []}


def parsed(template: Template) -> Labeling:
    return Labeling.parse(template.config, only=template.fills)


def controls(template: Template) -> dict[str, Element]:
    found = fromstring(template.config).iter()
    return {name: tag for tag in found if tag.get("toName") and (name := tag.get("name")) not in PEOPLE}


def judgements(template: Template) -> list[dict[str, Any]]:
    """A region of each control that people fill, as the page sends it; a control of labels with all of them."""
    regions = []
    for name, tag in controls(template).items():
        if name in template.fills:
            continue
        labels = [choice.get("value") for choice in tag.iter("Choice")]
        value = {"Rating": {"rating": 4}, "Choices": {"choices": labels}}[tag.tag]
        kind = tag.tag.lower()
        regions.append({"id": name, "from_name": name, "to_name": tag.get("toName"), "type": kind, "value": value})
    return regions


def words(template: Template) -> list[str]:
    """What must not be read: the marked field, and the names and labels of the controls that people fill."""
    judged = [tag for name, tag in controls(template).items() if name not in template.fills]
    labels = [str(choice.get("value")) for tag in judged for choice in tag.iter("Choice")]
    return [HIDDEN, *(str(tag.get("name")) for tag in judged), *labels]


def leaked(told: object, template: Template) -> list[str]:
    text = json.dumps(told, ensure_ascii=False)
    return [word for word in words(template) if re.search(rf"\b{re.escape(word)}\b", text)]


def reply(template: Template) -> str:
    """An answer that fits the template."""
    labeling = parsed(template)
    if labeling.free_text:
        return "An answer."
    samples = {"string": "An answer.", "integer": 3, "array": [{"quote": "Keller", "label": "Drug"}]}
    fields = {
        control.name: control.labels[0]
        if control.schema["type"] == "string" and control.labels
        else samples[control.schema["type"]]
        for control in labeling.controls
    }
    return json.dumps(fields)


@pytest.fixture
def served(make_backend: MakeBackend, template: Template) -> Backend:
    """A backend of a project that was made of the template."""
    backend = make_backend(default_prompt=template.prompt)
    backend.store.options.set(PROJECT, ProjectOptions(template=template.name, fills=template.fills))
    backend.model.say = lambda _request: reply(template)
    return backend


def sent(backend: Backend) -> list[ChatRequest]:
    assert len(backend.model.requests) == 1
    return backend.model.requests


def regions_of(reply_json: dict[str, Any]) -> set[str]:
    return {region["from_name"] for result in reply_json["results"] for region in result["result"]}


def test_some_templates_have_a_reference_and_judgements_so_that_these_tests_can_fail() -> None:
    found = {template.name: (hidden_fields(template), len(judgements(template))) for template in ASKED}

    assert found["medchat"] == (["answer"], 3)
    assert found["answers"] == (["abstract_id"], 0)


@EACH
def test_a_person_who_judged_before_asking_tells_the_model_nothing_of_it(served: Backend, template: Template) -> None:
    prompt = {
        "id": "p",
        "from_name": "prompt",
        "to_name": "question",
        "type": "textarea",
        "value": {"text": [template.prompt + " "]},
    }
    answer = served.predict(task(template), editor=[prompt, *judgements(template)], config=template.config)

    assert answer.status_code == 200, answer.text
    assert regions_of(answer.json) <= {*template.fills, "llm_status", "prompt"}
    assert [leaked(repr(request), template) for request in sent(served)] == [[]]


@EACH
def test_a_batch_tells_the_model_nothing_that_is_for_people(served: Backend, template: Template) -> None:
    earlier = {"id": 5, "result": judgements(template), "was_cancelled": False}
    answer = served.predict(task(template) | {"annotations": [earlier]}, config=template.config)

    assert answer.status_code == 200, answer.text
    assert regions_of(answer.json) <= {*template.fills, "prompt"}
    assert [leaked(repr(request), template) for request in sent(served)] == [[]]


@EACH
def test_a_training_row_holds_nothing_that_is_for_people(template: Template) -> None:
    labeling = parsed(template)
    data = task(template)["data"]
    result = [
        labeling.text_region("prompt", [template.prompt]),
        *(region | {"origin": TYPED} for region in labeling.regions(reply(template), data)),
        *(region for region in judgements(template) if region["from_name"] != "reference_faults"),
    ]
    annotation = AnnotationRow(
        id=3, result=result, was_cancelled=False, created_at=AT, updated_at=AT, completed_by=7, parent_prediction=None
    )
    made = collect_examples(
        [TaskRow(id=1, data=data, annotations=(annotation,), predictions=())],
        ExampleMaker(1, labeling, Settings()),
        answers_for=lambda _tasks: lambda _task: (),
        split=lambda texts, groups: assign_splits({}, texts, min_train=1, has_trained=False, groups=groups),
    )

    rows = [{"messages": [m.content for m in row.messages], "answer": row.answer} for row in made.examples]
    assert len(rows) == (template.name != "image")  # a training reads texts only
    assert [leaked(row, template) for row in rows] == [[] for _ in rows]
