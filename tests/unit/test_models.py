"""Names of models and versions."""

from datetime import UTC, datetime

import pytest

from annotune.errors import RequestInvalid
from annotune.models import ModelRef, ModelVersion, Verdict, version_name, version_number
from annotune.runs import TrainingRun

REFS = {
    "ollama:llama3": ("ollama", "llama3"),
    "ollama:llama3:8b": ("ollama", "llama3:8b"),
    "ollama:hf.co/team/model:Q4_K_M": ("ollama", "hf.co/team/model:Q4_K_M"),
    "ollama:annotune/main-p1:v0007-0a1b2c3d": ("ollama", "annotune/main-p1:v0007-0a1b2c3d"),
    "openai:gpt-3.5-turbo": ("openai", "gpt-3.5-turbo"),
    "openai:ft:gpt-3.5-turbo:team::abc": ("openai", "ft:gpt-3.5-turbo:team::abc"),
    "azure:medical-4o": ("azure", "medical-4o"),
    "  ollama:llama3\n": ("ollama", "llama3"),
}
NO_REFS = [
    "",
    "llama3",
    "v0003",
    "ollama:",
    "ollama",
    ":llama3",
    "OLLAMA:llama3",
    "bedrock:x",
    "ollama:a b",
    "ollama :a",
]


def version(*verdicts: Verdict) -> ModelVersion:
    return ModelVersion(
        project=1,
        number=7,
        model="annotune/main-p1:v0007-0a1b2c3d",
        digest="0a1b2c3d",
        run="20260101-1",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        num_ctx=2048,
        state="candidate",
        verdicts=verdicts,
    )


@pytest.mark.parametrize(("text", "parts"), REFS.items())
def test_a_ref_is_server_and_model(text: str, parts: tuple[str, str]) -> None:
    ref = ModelRef.parse(text)

    assert (ref.server, ref.model) == parts
    assert (ref.version, ref.num_ctx) == (None, None)


@pytest.mark.parametrize("text", REFS)
def test_a_ref_is_written_as_it_is_read(text: str) -> None:
    assert str(ModelRef.parse(text)) == text.strip()


@pytest.mark.parametrize("text", NO_REFS)
def test_what_names_no_model_is_refused_with_the_value_and_what_to_write(text: str) -> None:
    with pytest.raises(RequestInvalid, match=r"names no model: write 'ollama:llama3'") as refused:
        ModelRef.parse(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(("number", "name"), [(1, "v0001"), (7, "v0007"), (9999, "v9999"), (12345, "v12345")])
def test_a_version_is_named_by_its_number(number: int, name: str) -> None:
    assert version_name(number) == name
    assert version_number(name) == number


@pytest.mark.parametrize(
    "name", ["", "v1", "v007", "0007", "V0007", "v0007 ", "v0007-0a1b", "v000x", "v\u0660\u0660\u0660\u0667", "v-001"]
)
def test_what_names_no_version_has_no_number(name: str) -> None:
    assert version_number(name) is None


def test_a_version_is_served_by_ollama_with_the_window_that_it_was_made_with() -> None:
    ref = ModelRef(server="ollama", model="annotune/main-p1:v0007-0a1b2c3d", version="v0007", num_ctx=2048)

    assert version().ref == ref


def test_the_reason_of_a_version_is_that_of_the_gates_it_did_not_pass() -> None:
    passed = Verdict(gate="loss", passed=True, reason="1.0 < 2.0")
    refused = Verdict(gate="stops", passed=False, reason="3 of 10 prompts stopped")

    assert version(passed).reason == ""
    assert version(passed, refused, refused).reason == "3 of 10 prompts stopped; 3 of 10 prompts stopped"


def test_a_value_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        ModelRef.parse("ollama:llama3").model = "other"  # type: ignore[misc]


def test_a_version_is_json_again() -> None:
    made = version(Verdict(gate="loss", passed=True, reason="“é”"))

    assert ModelVersion.model_validate_json(made.model_dump_json()) == made


@pytest.mark.parametrize(
    ("contents", "taught"), [(("a", "b"), {1: "a", 2: "b"}), ((), {1: "", 2: ""}), (("a",), {1: "", 2: ""})]
)
def test_a_run_tells_what_each_annotation_held_as_far_as_it_is_known(
    contents: tuple[str, ...], taught: dict[int, str]
) -> None:
    began = datetime(2026, 11, 23, tzinfo=UTC)
    run = TrainingRun(
        id="r", project=4, number=1, state="promoted", started_at=began, annotations=(1, 2), contents=contents
    )

    assert run.contents_by_annotation == taught
