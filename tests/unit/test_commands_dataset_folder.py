"""`annotune dataset check`, `stats` and `show` at a terminal: what they print, their exit codes, and hostile texts."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from dataset_folders import example, write

from commands.dataset_show import difference
from commands.dataset_stats import bars
from commands.main import annotune
from commands.output import PlainConsole
from curation.dataset_stats import Bin, Distribution, dataset_stats

Run = Callable[..., Result]
HOSTILE = "\x1b]0;owned\x07\x1b[2J [bold]x[/] <script>alert(1)</script> \u202e :smile: \r {+no+}"
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e\u2066]")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a command of `annotune dataset` on a folder. Neither Redis nor Label Studio is there."""
    nowhere = {"REDIS_URL": "redis://127.0.0.1:1/0", "LABEL_STUDIO_URL": "http://127.0.0.1:1"}
    return lambda *arguments: CliRunner().invoke(annotune, ["dataset", *map(str, arguments)], env=nowhere)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dataset with a contradiction, personal data, a correction, and something that was left out."""
    train = [
        example(1, "Why?", "So."),
        example(2, "Why?", "Not so.", annotator=2),
        example(3, "Whom to call?", "Call 301-496-5751", kind="accepted", said="Call 301-496-5751", drafted_by="v0003"),
    ]
    eval_ = [example(4, "How?", "By rest.", kind="corrected", said="By aspirin.", edit_distance=6, drafted_by="v0003")]
    left_out = {"left_out": {"empty": 2}, "left_out_annotations": {"empty": (8, 9)}}
    return write(tmp_path / "set", train, eval_, **left_out)


def test_check_says_what_where_and_what_was_left_out(run: Run, folder: Path) -> None:
    result = run("check", folder)

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{folder}: 3 rows to train on, 1 held out",
        "2 findings",
        "contradiction: 1 (the same input has more than one answer)",
        "  rows 1, 2, answer, 2 answers",
        "phone number: 1 (personal data)",
        "  row 3, answer, 3**-***-****",
        "left out: 2 empty: annotations 8, 9",
    ]
    assert "names were not looked for" in result.stderr


def test_check_as_json_has_all_findings_and_ids(run: Run, folder: Path) -> None:
    rows = json.loads(run("check", folder, "--json").stdout)

    assert [row["kind"] for row in rows] == ["contradiction", "phone number", "left out"]
    assert rows[0]["rows"] == [1, 2]
    assert rows[-1] == {"kind": "left out", "reason": "empty", "count": 2, "annotations": [8, 9]}


def test_a_clean_dataset_ends_with_0(run: Run, tmp_path: Path) -> None:
    result = run("check", write(tmp_path, [example(1, "Why?", "So.")]))

    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "nothing was found")


def test_many_findings_are_cut_and_json_has_all(run: Run, tmp_path: Path) -> None:
    write(tmp_path, [example(number, f"Is it {number}?", "") for number in range(1, 31)])

    assert "  and 20 more: --json lists all" in run("check", tmp_path).stdout
    assert len(json.loads(run("check", tmp_path, "--json").stdout)) == 30


@pytest.mark.parametrize("arguments", [("check",), ("stats",), ("show",), ("show", "--reason", "x")])
def test_a_folder_that_is_no_dataset_is_one_sentence(run: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = run(arguments[0], tmp_path, *arguments[1:])

    assert result.exit_code == 2
    assert re.fullmatch(r"Error: '.*' is no dataset of Annotune: .*\n", result.stderr)


def test_stats_counts(run: Run, folder: Path) -> None:
    lines = run("stats", folder).stdout.splitlines()

    assert lines[:7] == [
        f"{folder}: 3 rows to train on, 1 held out",
        "answers: typed: 2, accepted: 1, corrected: 1",
        "drafted by: v0003: 2",
        "annotators: 1: 3, 2: 1",
        "prompts: abababab: 4",
        "left out: empty: 2",
        "characters changed in a correction: median 6, 95% at most 6, largest 6",
    ]
    (facts,) = json.loads(run("stats", folder, "--json").stdout)
    assert facts["rows"] == {"train": 3, "eval": 1}
    assert facts["lengths"]["question"]["median"] == 4


def test_labels_are_counted(tmp_path: Path) -> None:
    labels = ["a", "a", "b"] * 7
    write(tmp_path, [example(n, f"Text {n}?", json.dumps({"kind": label})) for n, label in enumerate(labels, 1)])

    assert dataset_stats(tmp_path).labels == {"kind": {"a": 14, "b": 7}}


def test_stats_of_an_empty_dataset(run: Run, tmp_path: Path) -> None:
    result = run("stats", write(tmp_path, []), "--html", tmp_path / "page.html")

    assert (result.exit_code, result.stdout) == (0, f"{tmp_path}: 0 rows to train on, 0 held out\n")
    assert "0 rows to train on" in (tmp_path / "page.html").read_text()


def test_a_page_that_cannot_be_written_is_one_sentence(run: Run, folder: Path) -> None:
    result = run("stats", folder, "--html", folder / "train.jsonl" / "page.html")

    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


@pytest.mark.parametrize(
    ("values", "median", "p95", "bins"),
    [
        ({}, 0, 0, ()),
        ({0: 1}, 0, 0, (Bin(0, 1, 1),)),
        ({5: 100}, 5, 5, (*(Bin(start, start + 1, 0) for start in range(5)), Bin(5, 6, 100))),
        ({1: 60, 2: 39, 10**9: 1}, 1, 2, (Bin(0, 1, 0), Bin(1, 2, 60), Bin(2, 3, 39), Bin(3, None, 1))),
        (dict.fromkeys(range(100), 1), 49, 94, tuple(Bin(start, start + 10, 10) for start in range(0, 100, 10))),
    ],
)
def test_a_distribution_counts_each_value_once(
    values: dict[int, int], median: int, p95: int, bins: tuple[Bin, ...]
) -> None:
    found = Distribution.of(values)

    assert (found.median, found.p95, found.bins) == (median, p95, bins)
    assert sum(each.count for each in found.bins) == sum(values.values())


@pytest.mark.parametrize("width", [1, 20, 40, 80, 300])
def test_bars_fit_the_terminal(width: int) -> None:
    console = PlainConsole(file=StringIO(), width=width, force_terminal=True)

    lines = list(bars(Distribution.of({n: n for n in range(1, 700)}), console))

    assert max(map(len, lines)) <= max(width, 20)
    assert all(set(line) & set("█▏▎▍▌▋▊▉") for line in lines)


def test_a_terminal_without_blocks_gets_signs() -> None:
    console = PlainConsole(file=TextIOWrapper(BytesIO(), "ascii"), width=40, force_terminal=True)

    assert "".join(bars(Distribution.of({1: 5, 2: 1}), console)).isascii()


class Parts(HTMLParser):
    """The tags and the texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.asked_for: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.asked_for += [str(value) for name, value in attrs if name in {"src", "href", "srcset", "style", "onload"}]


def test_the_page_asks_for_nothing_and_texts_are_texts(run: Run, tmp_path: Path) -> None:
    answer = json.dumps({"<script>k": ["<img src=x onerror=alert(1)>"]})
    write(tmp_path / "set", [example(1, HOSTILE, answer, kind="accepted", said=answer, drafted_by=HOSTILE)])
    run("stats", tmp_path / "set", "--html", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    parts = Parts(page)

    assert parts.tags.count("svg") == 3
    assert not {"script", "img", "link", "iframe"} & set(parts.tags)
    assert parts.asked_for == []
    assert "url(" not in page
    assert "&lt;script&gt;k" in page
    assert "prefers-color-scheme: dark" in page


def test_show_marks_what_a_person_changed(run: Run, folder: Path) -> None:
    assert run("show", folder, 4).stdout == (
        "row 4 (held out): corrected by annotator 1, drafted by v0003, 6 characters changed, project 4, task 4,"
        " annotation 4\n"
        "question: How?\n"
        "answer: By [-aspirin-]{+rest+}.\n"
    )


def test_show_by_split_limit_reason_and_as_json(run: Run, folder: Path) -> None:
    assert run("show", folder, "--split", "eval").stdout.startswith("row 4 ")
    assert run("show", folder, "--limit", 2).stdout.count("question: ") == 2
    assert run("show", folder, "--reason", "empty").stdout == "8\n9\n"
    assert [row["id"] for row in json.loads(run("show", folder, 3, 1, "--json").stdout)] == [1, 3]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((77,), "has no row 77"),
        ((1, "--split", "eval"), "has no row 1 in eval"),
        (("--reason", "x"), "the reasons are 'empty'"),
    ],
)
def test_what_is_not_there_is_one_sentence(run: Run, folder: Path, arguments: tuple[object, ...], said: str) -> None:
    result = run("show", folder, *arguments)

    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_difference_has_both_texts() -> None:
    for before, after in [("", ""), ("a", ""), ("", "b c"), ("a  b", "a b"), ("x " * 4000, "y"), ("漢字", "漢")]:
        marked = "".join(text for text, _ in difference(before, after))
        assert re.sub(r"\{\+.*?\+\}", "", marked, flags=re.DOTALL).replace("[-", "").replace("-]", "") == before
        assert re.sub(r"\[-.*?-\]", "", marked, flags=re.DOTALL).replace("{+", "").replace("+}", "") == after


@pytest.mark.parametrize("arguments", [("show",), ("show", "--json"), ("stats",), ("stats", "--json"), ("check",)])
def test_hostile_texts_steer_no_terminal(run: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    answer = json.dumps({HOSTILE: [HOSTILE[:60]]})
    rows = [example(n, HOSTILE, answer, kind="corrected", said=HOSTILE, drafted_by=HOSTILE) for n in (1, 2)]
    write(tmp_path, rows, left_out={HOSTILE: 1}, left_out_annotations={HOSTILE: (1,)})

    result = run(arguments[0], tmp_path, *arguments[1:])

    assert not isinstance(result.exception, Exception) or isinstance(result.exception, SystemExit)
    assert not STEERING.search(result.output)


def test_an_answer_that_was_written_anew_is_shown_whole(run: Run, tmp_path: Path) -> None:
    said = "It lasted twelve weeks, and nobody was harmed."
    row = example(1, "Why?", "Ask a doctor first.", kind="corrected", said=said)

    shown = run("show", write(tmp_path, [row])).stdout

    assert f"answer: [-{said}-]{{+Ask a doctor first.+}}" in shown
