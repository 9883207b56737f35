"""Where the data of a transferred task says what it was made from."""

from curation.lineage import Lineage


def test_what_is_written_is_read_again() -> None:
    lineage = Lineage(source="A text.", abstract_id="17", project=2, task=40, annotation=7)
    assert Lineage.of(lineage.as_data()) == lineage
    assert Lineage.of(Lineage().as_data()) == Lineage()


def test_a_field_of_another_type_counts_as_missing() -> None:
    odd = {
        "source_text": ["a list"],
        "abstract_id": True,
        "source_project": "2",
        "source_task": None,
        "source_annotation": 1.5,
    }
    assert Lineage.of(odd) == Lineage()
    assert Lineage.of({"abstract_id": 14360}).abstract_id == "14360"
