"""The rules by which a project's annotations become examples, as Label Studio and the settings have them."""

from collections.abc import Callable

import pytest
from label_studio_double import LabelStudioDouble

from trainer.context import TrainerContext
from trainer.snapshot import current_examples

PROJECT, ADMIN, ADA = 4, 1, 2


@pytest.fixture
def double(double: LabelStudioDouble) -> LabelStudioDouble:
    double.add_project(PROJECT, questions=1)
    for annotator, text in ((ADA, "40 mg"), (ADMIN, "50 mg")):
        double.submit(PROJECT, 0, text)
        double.projects[PROJECT][0]["annotations"][-1]["completed_by"] = annotator
    return double


@pytest.mark.parametrize(
    ("experts", "answer", "told"),
    [
        ("", "50 mg", ""),
        (
            "Ada@Example.org, eve@example.org",
            "40 mg",
            "EXPERTS names users that Label Studio does not know: eve@example.org",
        ),
    ],
)
def test_experts_are_found_by_their_e_mails(
    context_with: Callable[..., TrainerContext],
    double: LabelStudioDouble,
    caplog: pytest.LogCaptureFixture,
    experts: str,
    answer: str,
    told: str,
) -> None:
    [example] = current_examples(context_with(experts=experts), PROJECT).examples

    assert example.answer == answer
    assert told in caplog.text
    assert ("/api/users/" in {path for path, _, _ in double.asked}) == bool(experts)
