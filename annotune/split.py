"""The split: which labelled texts train a project's model, and which are held out to evaluate it.

A text is assigned once. A held-out text never trains, and a text that may have trained is never held out. So the split of
each text is kept by its sha, even after its annotations are deleted.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

SplitName = Literal["train", "eval"]
HELD_OUT_ONE_IN = 6
MIN_HELD_OUT = 5


def text_sha(text: str) -> str:
    """Hex SHA-256 of a labelled text, without regard to letter case and blanks."""
    normal = " ".join(text.lower().split())
    return hashlib.sha256(normal.encode("utf-8", "surrogatepass")).hexdigest()


def split_of(sha: str) -> SplitName:
    """The split by the hash alone: about one text in six is held out."""
    return "eval" if int(sha, 16) % HELD_OUT_ONE_IN == 0 else "train"


@dataclass(frozen=True)
class SplitAssignment:
    """The splits of the texts that a project has now, by their shas.

    `new` are the splits that were assigned just now. `unassigned` counts the texts without a split: they are too few for a
    training, which takes `min_train` texts to train on and `MIN_HELD_OUT` held out. `by_hash`: see `assign_splits`.
    `has_repeats`: some annotations share a text.
    """

    splits: Mapping[str, SplitName]
    new: Mapping[str, SplitName]
    unassigned: int
    min_train: int
    by_hash: bool = False
    has_repeats: bool = False

    @property
    def missing(self) -> int:
        """How many texts a training lacks. If the hash alone assigns them: how many are enough on average."""
        to_hold_out, to_train = _missing(self.splits, self.min_train)
        if self.by_hash:
            return max(to_train, HELD_OUT_ONE_IN * to_hold_out)
        return to_hold_out + to_train - self.unassigned

    @property
    def lacks(self) -> str:
        """What a training lacks, in a sentence; empty if it lacks nothing."""
        if self.missing <= 0:
            return ""
        number, takes = len(self.splits) + self.unassigned, self.min_train + MIN_HELD_OUT
        if number + self.missing == takes:
            there = (
                f"there {'is' if number == 1 else 'are'} {number}{' of different texts' if self.has_repeats else ''}"
            )
            return (
                f"it takes {takes} usable annotations (MIN_EXAMPLES + {MIN_HELD_OUT}), and {there}:"
                f" submit {self.missing} more"
            )
        have = Counter(self.splits.values())
        return (
            f"it takes {self.min_train} usable annotations to train on (MIN_EXAMPLES) and {MIN_HELD_OUT} that are held out,"
            f" and there are {have['train']} and {have['eval']}{', each text counted once' if self.has_repeats else ''}:"
            f" submit {'about ' if self.by_hash else ''}{self.missing} more"
        )


def assign_splits(
    recorded: Mapping[str, SplitName], texts: Sequence[str], min_train: int, *, has_trained: bool
) -> SplitAssignment:
    """Assign a split to each text that has none yet.

    No text is assigned before there are enough for a training. Then the texts with the lowest hashes are held out: one in
    six if enough are left to train on, and five at least. Later texts go by their hash, one in six, unless a split lacks
    texts again.

    Versions up to 0.3 kept no splits and went by the hash alone. If they trained, nobody knows on which texts, so the hash
    alone goes on to assign them. The recorded splits show that: they all agree with the hash.

    Args:
        recorded: all known splits of the project.
        texts: the shas of the labelled texts of its usable annotations.
        min_train: how many texts a training needs to train on.
        has_trained: whether a training of the project has ever begun; those versions gave each training a number.
    """
    distinct = dict.fromkeys(texts)
    splits = {sha: recorded[sha] for sha in distinct if sha in recorded}
    new = sorted(distinct.keys() - splits.keys())
    to_hold_out, to_train = _missing(splits, min_train)
    hash_alone = all(name == split_of(sha) for sha, name in recorded.items()) if recorded else has_trained
    assigned: dict[str, SplitName] = {}
    if hash_alone or not to_hold_out + to_train:
        assigned = {sha: split_of(sha) for sha in new}
    elif to_hold_out + to_train <= len(new):
        number = max(to_hold_out, min(len(new) // HELD_OUT_ONE_IN, len(new) - to_train))
        assigned = {sha: "eval" if place < number else "train" for place, sha in enumerate(new)}
    return SplitAssignment(
        splits=splits | assigned,
        new=assigned,
        unassigned=len(new) - len(assigned),
        min_train=min_train,
        by_hash=hash_alone,
        has_repeats=len(distinct) < len(texts),
    )


def _missing(splits: Mapping[str, SplitName], min_train: int) -> tuple[int, int]:
    """How many texts a training lacks to hold out, and how many to train on."""
    have = Counter(splits.values())
    return max(0, MIN_HELD_OUT - have["eval"]), max(0, min_train - have["train"])
