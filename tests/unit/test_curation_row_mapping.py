"""Rows as tasks: which fields a page shows, which columns fill them, and what makes a row the same as a task."""

from typing import Any

import pytest

from annotune.errors import LabelingInvalid, RequestInvalid
from annotune.labeling.fields import ShownFields
from curation.row_mapping import RowMapping
from curation.sources.row import RowUnreadable, SourceRow
from curation.templates import find_template

CONFIG = """<View>
<Style>.a::before { content: '$no'; }</Style>
<Header value="Patient $name, $age years"/>
<Text name="chat" value="$question"/><Text name="reference" value="$answer"/>
<Choices name="cost" toName="chat"><Choice value="$money"/></Choices>
<TextArea name="prompt" toName="chat"/><TextArea name="response" toName="chat"/>
</View>"""
QUESTION = ShownFields(("question", "answer"), frozenset({"question"}))


def mapping(columns: dict[str, str] | None = None, *, key: str = "", **data: Any) -> RowMapping:
    return RowMapping.of(QUESTION, columns or {}, key, [SourceRow(1, data)], "rows.csv for project 4")


def test_all_fields_that_a_page_shows_are_found() -> None:
    shown = ShownFields.of(CONFIG)

    assert shown.names == ("name", "age", "question", "answer")
    assert shown.labelled == {"question"}


def test_the_fields_of_templates_are_found() -> None:
    found = {name: ShownFields.of(find_template(name).config) for name in ("medchat", "questions", "answers", "review")}

    assert {name: shown.labelled for name, shown in found.items()} == {
        "medchat": {"question"},
        "questions": {"text"},
        "answers": {"question"},
        "review": {"question"},
    }
    assert "answer" in found["medchat"].names


def test_a_config_that_is_no_xml_is_refused() -> None:
    with pytest.raises(LabelingInvalid):
        ShownFields.of("<View>")


def test_a_row_becomes_a_task_with_all_its_columns() -> None:
    row = SourceRow(1, {"question": "Is it safe?", "answer": None, "topic": "x"})

    task = mapping(**row.data).task(row)

    assert task.body == {"data": {"question": "Is it safe?", "answer": "", "topic": "x"}}


def test_a_column_fills_a_field_of_another_name() -> None:
    row = SourceRow(1, {"Q": "Is it safe?", "A": "No.", "question": "an id"})

    task = mapping({"question": "Q", "answer": "A"}, **row.data).task(row)

    assert task.body == {"data": {"question": "Is it safe?", "answer": "No."}}


def test_one_column_may_fill_two_fields() -> None:
    row = SourceRow(1, {"Q": "Is it safe?"})

    assert mapping({"question": "Q", "answer": "Q"}, **row.data).task(row).body["data"] == dict.fromkeys(
        ("question", "answer"), "Is it safe?"
    )


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (
            {},
            "the page shows question, and no column has that name; its columns are Q, answer, source: .* --map question=Q",
        ),
        ({"question": "q"}, "there is no column 'q'; its columns are Q, answer, source"),
    ],
)
def test_what_a_source_lacks_is_said_with_the_names_that_are_there(columns: dict[str, str], words: str) -> None:
    with pytest.raises(RequestInvalid, match=words) as refusal:
        mapping(columns, Q="Is it safe?", answer="No.", source="x")
    assert "rows.csv for project 4" in str(refusal.value)


@pytest.mark.parametrize("empty", [None, "", " \n", [], {}])
def test_a_row_without_what_is_labelled_is_bad(empty: object) -> None:
    with pytest.raises(RowUnreadable, match="has no question"):
        mapping(question="x", answer="y").task(SourceRow(1, {"question": empty, "answer": "y"}))


def test_a_column_that_is_only_named_like_an_origin_is_left_out() -> None:
    """Annotune holds out all questions of one source text together: "NIH" is none."""
    row = SourceRow(
        1,
        {
            "question": "Is it safe?",
            "answer": "No.",
            "source_text": "NIH",
            "source_task": 5,
            "source": "NIH",
            "abstract_id": 7,
        },
    )

    plain, kept = mapping(**row.data), mapping({"topic": "source_text"}, **row.data)

    assert plain.left_out == {"source_text", "source_task"}
    assert plain.task(row).body["data"].keys() == {"question", "answer", "abstract_id", "source"}
    assert kept.task(row).body["data"]["topic"] == "NIH"


def test_a_source_that_the_page_shows_stays() -> None:
    shown = ShownFields(("question", "source_text"), frozenset({"question"}))
    row = SourceRow(1, {"question": "Is it safe?", "source_text": "A text."})

    assert RowMapping.of(shown, {}, "", [row], "x").task(row).body["data"]["source_text"] == "A text."


def test_what_the_page_shows_makes_rows_the_same() -> None:
    each = mapping(question="x", answer="y", topic="z")
    key = each.key_of({"question": "x", "answer": "y", "topic": "z"})

    assert key == each.key_of({"answer": "y", "question": "x", "topic": "other", "more": 1})
    assert key != each.key_of({"question": "x", "answer": "other"})
    assert each.key_of({"question": "x", "answer": ""}) == each.key_of({"question": "x"})
    assert each.key_of({"question": "xy", "answer": ""}) != each.key_of({"question": "x", "answer": "y"})


def test_an_id_makes_rows_the_same_where_the_source_has_one() -> None:
    each = mapping(key="abstract_id", question="x", answer="y", abstract_id=5)

    assert each.key_of({"abstract_id": 5, "question": "x"}) == each.key_of({"abstract_id": "5", "question": "other"})
    assert each.key_of({"question": "x"}) != each.key_of({"question": "other"})


def test_annotations_come_with_their_regions_and_are_no_ground_truth_unless_they_say_so() -> None:
    regions = [{"from_name": "response", "to_name": "chat", "type": "textarea", "value": {"text": ["No."]}}]
    annotations = [
        {"id": 5, "result": regions, "completed_by": 3, "created_at": "2026-11-27", "task": 1},
        {"result": [], "was_cancelled": True, "ground_truth": True},
    ]
    predictions = [{"id": 6, "result": regions, "model_version": "v1", "score": 0.5, "task": 1}]
    row = SourceRow(1, {"question": "x", "answer": "y"}, annotations=annotations, predictions=predictions)

    body = mapping(**row.data).task(row).body

    assert body["annotations"] == [
        {"result": regions, "completed_by": 3, "ground_truth": False},
        {"result": [], "was_cancelled": True, "ground_truth": True},
    ]
    assert body["predictions"] == [{"result": regions, "model_version": "v1", "score": 0.5}]


@pytest.mark.parametrize("result", [None, "x", [1]])
def test_an_annotation_without_regions_is_bad(result: object) -> None:
    row = SourceRow(1, {"question": "x", "answer": "y"}, annotations=[{"result": result}])

    with pytest.raises(RowUnreadable, match="has an annotation without a list of regions"):
        mapping(**row.data).task(row)
