"""The three labeling configs of the article, verbatim: tests/data/article/."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "data" / "article"
COMPARISON, QUESTIONS, ANSWERS = ((FOLDER / f"project{number}.xml").read_text(encoding="utf-8") for number in (1, 2, 3))
ALL = {"comparison": COMPARISON, "questions": QUESTIONS, "answers": ANSWERS}
