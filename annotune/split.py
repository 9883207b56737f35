"""The split: which labelled texts a project's model is trained on, and which are held out to judge it.

A text's side is decided once, and stays: a held-out text never trains, and one that may have trained is never held out. So
each side is kept by the sha of its text, also of those whose annotations are deleted.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

SplitName = Literal["train", "eval"]
HELD_OUT_IN = 6
FEWEST_HELD_OUT = 5


def text_sha(text: str) -> str:
    """Hex SHA-256 of a labelled text; letter case and blanks make no difference."""
    normal = " ".join(text.lower().split())
    return hashlib.sha256(normal.encode("utf-8", "surrogatepass")).hexdigest()


def split_of(sha: str) -> SplitName:
    """The side by the hash alone: about one in six is held out."""
    return "eval" if int(sha, 16) % HELD_OUT_IN == 0 else "train"


@dataclass(frozen=True)
class SplitAssignment:
    """The sides of the texts that a project has now, by their shas.

    `undecided` have none yet, since a training takes more texts: `fewest` to train on and `FEWEST_HELD_OUT` held out.
    `new` are the sides among `sides` that were decided just now. `hash_alone`: see `split`. `repeated`: some annotations
    have a text in common.
    """

    splits: Mapping[str, SplitName]
    new: Mapping[str, SplitName]
    undecided: int
    fewest: int
    hash_alone: bool = False
    repeated: bool = False

    @property
    def missing(self) -> int:
        """How many texts a training lacks; where the hash alone decides, how many will do on average."""
        to_hold_out, to_train = _wanted(self.splits, self.fewest)
        if self.hash_alone:
            return max(to_train, HELD_OUT_IN * to_hold_out)
        return to_hold_out + to_train - self.undecided

    @property
    def lacks(self) -> str:
        """What a training lacks, in a sentence; empty where it lacks nothing."""
        if self.missing <= 0:
            return ""
        number, takes = len(self.splits) + self.undecided, self.fewest + FEWEST_HELD_OUT
        if number + self.missing == takes:
            there = f"there {'is' if number == 1 else 'are'} {number}{' of different texts' if self.repeated else ''}"
            return (
                f"it takes {takes} usable annotations (MIN_EXAMPLES + {FEWEST_HELD_OUT}), and {there}:"
                f" submit {self.missing} more"
            )
        have = Counter(self.splits.values())
        return (
            f"it takes {self.fewest} usable annotations to train on (MIN_EXAMPLES) and {FEWEST_HELD_OUT} that are held out,"
            f" and there are {have['train']} and {have['eval']}{', each text counted once' if self.repeated else ''}: submit"
            f" {'about ' if self.hash_alone else ''}{self.missing} more"
        )


def assign_splits(
    recorded: Mapping[str, SplitName], texts: Sequence[str], fewest: int, *, trained: bool
) -> SplitAssignment:
    """Decide the sides of texts that have none yet.

    None is decided before there are enough for a training: then the texts with the lowest hashes are held out, five or, as
    far as enough are left to train on, one in six. Later ones go by their hash, one in six, unless a side lacks some again.

    Versions up to 0.3 kept no sides and went by the hash alone. Where they trained, nobody knows on which texts: so the hash
    alone goes on to decide, and that it does is told by the sides that are kept, which are all the hash's.

    Args:
        recorded: all sides of the project that are known.
        texts: the shas of the labelled texts of its usable annotations.
        fewest: how many texts a training is to have, at least.
        trained: a training of the project has ever begun: those versions gave each a number.
    """
    distinct = dict.fromkeys(texts)
    sides = {sha: recorded[sha] for sha in distinct if sha in recorded}
    new = sorted(distinct.keys() - sides.keys())
    to_hold_out, to_train = _wanted(sides, fewest)
    hash_alone = all(side == split_of(sha) for sha, side in recorded.items()) if recorded else trained
    decided: dict[str, SplitName] = {}
    if hash_alone or not to_hold_out + to_train:
        decided = {sha: split_of(sha) for sha in new}
    elif to_hold_out + to_train <= len(new):
        number = max(to_hold_out, min(len(new) // HELD_OUT_IN, len(new) - to_train))
        decided = {sha: "eval" if place < number else "train" for place, sha in enumerate(new)}
    return SplitAssignment(
        splits=sides | decided,
        new=decided,
        undecided=len(new) - len(decided),
        fewest=fewest,
        hash_alone=hash_alone,
        repeated=len(distinct) < len(texts),
    )


def _wanted(sides: Mapping[str, SplitName], fewest: int) -> tuple[int, int]:
    """How many a training lacks that are held out, and how many to train on."""
    have = Counter(sides.values())
    return max(0, FEWEST_HELD_OUT - have["eval"]), max(0, fewest - have["train"])
