"""The steps that README tells a new user to take, as it says them: what to type, and what is printed then."""

import re
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"
SECTION = "Use it with your own Label Studio"
TRAINING = "First training"
ANYTHING = "..."
_STEP = re.compile(r"^### (\d+)\. (.+)$", re.MULTILINE)
_BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Typed:
    """A block to type, and the lines that README says it prints; `...` in a line stands for anything."""

    command: str
    printed: tuple[str, ...]

    def mismatch(self, output: str) -> str:
        """The first line that README promises and that the output lacks, in this order; empty where all are there."""
        lines = iter([_spaced(line) for line in output.splitlines()])
        for promised in self.printed:
            pattern = ".*".join(map(re.escape, _spaced(promised).split(ANYTHING)))
            if not any(re.fullmatch(pattern, line) for line in lines):
                return promised
        return ""


@dataclass(frozen=True)
class Step:
    """`title` without its number."""

    title: str
    typed: tuple[Typed, ...]


def steps(text: str) -> list[Step]:
    """The numbered steps of README's section, in order, and the first training as the last one."""
    section = _section(text, SECTION)
    heads = list(_STEP.finditer(section))
    assert [int(head[1]) for head in heads] == list(range(1, len(heads) + 1))
    ends = [*(head.start() for head in heads[1:]), len(section)]
    numbered = [Step(head[2], _typed(section[head.end() : end])) for head, end in zip(heads, ends, strict=True)]
    return [*numbered, Step(TRAINING, _typed(_section(text, TRAINING)))]


def _section(text: str, title: str) -> str:
    _, found, rest = text.partition(f"\n## {title}\n")
    assert found, f"README has no section {title!r}"
    return rest.partition("\n## ")[0]


def _spaced(line: str) -> str:
    """A table's columns are as wide as what is in them."""
    return " ".join(line.split())


def _typed(text: str) -> tuple[Typed, ...]:
    """A block that is typed, with the block of output after it, if the next one is such."""
    blocks = [(kind, body) for kind, body in _BLOCK.findall(text)]
    found = []
    for at, (kind, body) in enumerate(blocks):
        after = blocks[at + 1] if at + 1 < len(blocks) else ("", "")
        if kind == "sh":
            found.append(Typed(body, tuple(filter(str.strip, after[1].splitlines())) if after[0] == "text" else ()))
    return tuple(found)
