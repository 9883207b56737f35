"""A list of questions, as models and people write them, split into its questions.

A line is a question. What is not certain to be one is left out and counted: headings, introductions, answers, remarks.
"""
# ruff: noqa: RUF001 - people write with these marks

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from annotune.labeling.controls import is_text

Dropped = Literal["empty", "introduction", "answer", "remark", "unreadable"]
"""Why a line is left out.

empty: it has neither a letter nor a digit. introduction: it is a heading, or speaks about the questions. answer: it is an
answer beside its question. remark: it stands without number or bullet among lines that have one, and asks nothing.
unreadable: it cannot be stored.
"""

ASKS = re.compile("[?？؟\u037e՞፧⁇⁈]")
ENDS = re.compile("[.?!:;\u037e。？！：；؟।…⁇⁈]['\"”’»」』)）*_]*$")
_COLON = re.compile("[:：]['\"*_]*$")
_LINES = re.compile("\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")
_FENCE = re.compile(r"^\s*```\w*\s*\n(.*?)\n?\s*```\s*$", re.DOTALL)
_BOLD = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_WORDS = "questions?|fragen?|preguntas?|perguntas?|domand[ae]|вопрос[ыа]?|pytani[ae]|vraag|vragen|fråg(?:a|or)"
_WORD = "question|frage|pregunta|pergunta|domanda|вопрос|pytanie|vraag|fråga"
_LABEL = rf"(?:(?:q|{_WORD})\s*(?:no\.?|nr\.?|№|#)?\s*\d{{0,3}}|(?:问题|問題|質問|問|问|질문)\s*\d{{0,3}})"
_MARKERS: Mapping[str, re.Pattern[str]] = {
    "quote": re.compile(r">\s*"),
    "bullet": re.compile(r"[•‣◦▪●○■□·∙⁃➢➤✓✔]\s*|[-–—*+]\s+(?:\[[ xX]?\]\s+)?"),
    "label": re.compile(rf"[(（\[]?{_LABEL}[)）\]]?\s*(?:[:：.)）]|[-–—](?=\s)|$)\s*", re.IGNORECASE),
    "keycap": re.compile("(?:\\d\ufe0f?\u20e3|[①-⑳⑴-⒇⒈-⒛]|🔟)\\s*"),
    "number": re.compile(r"[(（\[]\s*\d{1,3}\s*[)）\]][.:：]?\s*|\d{1,3}(?:[)）、．：]\s*|[.:](?!\d)\s*|\s+[-–—]\s+)"),
    "letter": re.compile(r"[(（](?:[a-z]|[ivx]{1,4})[)）][.:]?\s+|(?:[a-z]|[ivx]{1,4})[)）]\s+", re.IGNORECASE),
}
# "A. What ..." is a letter of a list only where "B. ..." follows: "E. coli" is no letter of a list.
_LETTER_DOT = re.compile(r"([A-Za-z])\.\s+(?=[^\Wa-z])")
_HEADING = re.compile(r"#{1,6}\s+")
_ANSWER = re.compile(
    r"[(\[*_]*(?:a\s*\d{0,3}|answers?|antwort(?:en)?|respuestas?|réponses?|respostas?|risposta|ответ|答案|答|回答)\s*[:：]",
    re.IGNORECASE,
)
_OPENINGS = re.compile(
    r"(?:here (?:are|is)|here's|below (?:are|is)|the following|these (?:are|questions)|sure\b|certainly\b|of course\b|okay\b"
    r"|based on|hier sind|hier ist|nachfolgend|folgende|natürlich\b|gerne\b|aquí|a continuación|claro\b|por supuesto|voici"
    r"|bien sûr|ecco|certo\b|aqui est|seguem|вот\b|конечно\b|oto\b|hier zijn|här är|以下|当然|好的|もちろん|다음은)",
    re.IGNORECASE,
)
_CLOSINGS = re.compile(
    r"(?:i hope|hope this|let me know|feel free|these questions|would you like|do you want|if you (?:need|want|would)|note\b"
    r"|please let|ich hoffe|hinweis\b|anmerkung\b|diese fragen|espero|nota\b|estas preguntas|j'espère|remarque\b|note\s*:"
    r"|ces questions|spero|queste domande|надеюсь|希望|注意|これらの|注：)",
    re.IGNORECASE,
)
_ABOUT_QUESTIONS = re.compile(rf"{_WORDS}|问题|問題|質問|질문|more", re.IGNORECASE)
_PAIRS: Mapping[str, str] = dict(zip("\"'“„”‘‚«»「『`＂", "\"'”“”’‘»«」』`＂", strict=True))
_KEYS = ("question", "text", "q", "frage", "pregunta", "pergunta", "domanda", "问题", "質問")
TWO = 2


@dataclass(frozen=True)
class QuestionList:
    """The questions of a list in their order, and how many lines were left out, by reason."""

    questions: tuple[str, ...]
    dropped: Mapping[Dropped, int]


@dataclass(frozen=True)
class _Line:
    """A line without its number or bullet. `marker` is the kind of that, `after_gap`: an empty line comes before it."""

    text: str
    marker: str = ""
    after_gap: bool = False
    heading: bool = False

    @property
    def asks(self) -> bool:
        return bool(ASKS.search(self.text))


def split_questions(text: str) -> QuestionList:
    """Split a list of questions. Numbers, bullets, Markdown and quotation marks around a question are taken off."""
    fenced = _FENCE.match(text)
    bare = fenced[1] if fenced else text
    listed = _json_questions(bare)
    dropped: Counter[Dropped] = Counter()
    if listed is not None:
        lines = [_marked(entry) for entry in listed]
    else:
        lines = list(_kept(_joined(_lettered(list(_lines(bare)))), dropped))
    questions = []
    for line in lines:
        if not any(character.isalnum() for character in line.text):
            dropped["empty"] += 1
        elif not is_text(line.text):
            dropped["unreadable"] += 1
        else:
            questions.append(line.text)
    return QuestionList(tuple(questions), dict(sorted(dropped.items())))


def _json_questions(text: str) -> list[str] | None:
    """The questions of a JSON or Python list, alone or in an object; None for any other text."""
    stripped = text.strip()
    if not stripped.startswith(("[", "{")):
        return None
    try:
        found = json.loads(stripped)
    except ValueError:
        try:
            found = ast.literal_eval(stripped)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
    except RecursionError:
        return None
    if isinstance(found, dict):
        lists = [value for value in found.values() if isinstance(value, list)]
        found = lists[0] if len(lists) == 1 else list(found.values())
    entries = [_entry(item) for item in found] if isinstance(found, list) else [None]
    return [entry for entry in entries if entry is not None] if None not in entries else None


def _entry(item: object) -> str | None:
    if isinstance(item, Mapping):
        named = [value for key, value in item.items() if str(key).casefold() in _KEYS and isinstance(value, str)]
        return named[0] if named else None
    return " ".join(item.split()) if isinstance(item, str) else None


def _lines(text: str) -> Iterator[_Line]:
    """The lines that hold a letter or a digit."""
    gap = False
    for line in _LINES.split(text):
        if any(character.isalnum() for character in line):
            yield replace(_marked(line.strip()), after_gap=gap)
            gap = False
        else:
            gap = True


def _marked(line: str) -> _Line:
    """A line without its numbers and bullets; the first one tells the kind."""
    heading = _HEADING.match(line)
    left = _BOLD.sub(r"\2", line[heading.end() :] if heading else line).strip()
    marker = ""
    while found := _marker(left):
        kind, end = found
        marker = marker if marker and marker != "quote" else kind
        left = left[end:].strip()
    return _Line(_bare(left), marker, heading=heading is not None)


def _marker(text: str) -> tuple[str, int] | None:
    for kind, pattern in _MARKERS.items():
        if found := pattern.match(text):
            return kind, found.end()
    return None


def _bare(text: str) -> str:
    """A text without Markdown and quotation marks around it."""
    before, left = None, text.strip()
    while before != left:
        before = left
        left = re.sub(r"(?<=[\"'”’»」』`])[,;，]$", "", left)
        if left.startswith("**") or left.endswith("**"):
            left = left.strip("*").strip()
        for mark in ("*", "_"):
            if len(left) > TWO and left[0] == left[-1] == mark and mark not in left[1:-1]:
                left = left[1:-1].strip()
        if len(left) > TWO and _PAIRS.get(left[0]) == left[-1] and _is_whole(left):
            left = left[1:-1].strip()
    return left


def _is_whole(text: str) -> bool:
    """Whether the quotation marks at both ends are one pair: "a", and not "a" or "b"."""
    closing, inner = text[-1], text[1:-1]
    place = inner.find(closing)
    if text[0] != closing:
        return place < 0 or text[0] in inner[:place]
    return place < 0 or place == 0 or inner[place - 1] in " (["


def _lettered(lines: Sequence[_Line]) -> list[_Line]:
    """The lines with letters taken off that follow each other, as `A.`, `B.`, `C.`."""
    found = [_LETTER_DOT.match(line.text) if not line.marker else None for line in lines]
    letters = [match[1].lower() for match in found if match]
    if len(letters) < TWO or letters != [chr(ord("a") + number) for number in range(len(letters))]:
        return list(lines)
    return [
        replace(line, text=_bare(line.text[match.end() :]), marker="letter") if match else line
        for line, match in zip(lines, found, strict=True)
    ]


def _joined(lines: Sequence[_Line]) -> list[_Line]:
    """The lines, with a question that is broken over several made one."""
    joined: list[_Line] = []
    has_markers = _has_markers(lines)
    for line in lines:
        last = joined[-1] if joined else None
        if last and not line.marker and not line.heading and not line.after_gap and _goes_on(last, line, has_markers):
            joined[-1] = replace(last, text=f"{last.text} {line.text}".strip())
        else:
            joined.append(line)
    return joined


def _goes_on(last: _Line, line: _Line, has_markers: bool) -> bool:
    """Whether a line without a number is the rest of the one before, which has not ended."""
    if last.heading or ENDS.search(last.text):
        return False
    return bool(last.marker) if has_markers else line.text[0].islower()


def _has_markers(lines: Sequence[_Line]) -> bool:
    marked = sum(bool(line.marker) for line in lines)
    return marked >= TWO and marked * 2 >= len(lines)


def _kept(lines: Sequence[_Line], dropped: Counter[Dropped]) -> Iterator[_Line]:
    """The lines that are questions. The others are counted."""
    has_markers, has_labels = _has_markers(lines), any(line.marker == "label" for line in lines)
    for number, line in enumerate(lines):
        others = len(lines) > 1
        after = lines[number + 1] if number + 1 < len(lines) else None
        if has_labels and line.marker != "label" and _ANSWER.match(line.text):
            dropped["answer"] += 1
        elif others and (_introduces(line, number, has_markers, after) or _closes(line, after, has_markers)):
            dropped["introduction"] += 1
        elif has_markers and not line.marker and not line.asks:
            dropped["remark"] += 1
        else:
            yield line


def _introduces(line: _Line, number: int, has_markers: bool, after: _Line | None) -> bool:
    """Whether a line is a heading, or an introduction before the questions."""
    if line.asks:
        return False
    if line.heading:
        return True
    if line.marker:  # a heading with a number of its own, above bullets
        return after is not None and after.marker == "bullet" != line.marker and after.asks and not _ends_item(line)
    if _COLON.search(line.text):
        return has_markers or number == 0 or (after is not None and after.asks)
    return number == 0 and bool(_OPENINGS.match(line.text))


def _ends_item(line: _Line) -> bool:
    return bool(ENDS.search(line.text)) and not _COLON.search(line.text)


def _closes(line: _Line, after: _Line | None, has_markers: bool) -> bool:
    """Whether the last line speaks to the reader about the questions."""
    if after is not None or line.marker or not _CLOSINGS.match(line.text):
        return False
    return not line.asks or (has_markers and bool(_ABOUT_QUESTIONS.search(line.text)))
