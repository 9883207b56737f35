"""The split: which labelled texts train a project's model, and which are held out to evaluate it.

A text is assigned once. A held-out text never trains, and a text that may have trained is never held out. So the split of
each text is kept by its sha, even after its annotations are deleted. Texts about one source text are a group, which is on
one side, and the group's split is kept beside those of its texts.
"""

import hashlib
from collections import Counter, defaultdict
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

    `new` are the splits that were assigned just now, those of groups included. `unassigned` counts the texts without a
    split: they are too few for a training, which takes `min_train` texts to train on and `MIN_HELD_OUT` held out. `by_hash`:
    see `assign_splits`. `has_repeats`: some annotations share a text. `sources`: how many source texts the unassigned are
    about, if they are enough but cannot be divided; else 0.
    """

    splits: Mapping[str, SplitName]
    new: Mapping[str, SplitName]
    unassigned: int
    min_train: int
    by_hash: bool = False
    has_repeats: bool = False
    sources: int = 0

    @property
    def missing(self) -> int:
        """How many texts a training lacks. If the hash alone assigns them: how many are enough on average."""
        to_hold_out, to_train = _missing(self.splits, self.min_train)
        if self.by_hash:
            return max(to_train, HELD_OUT_ONE_IN * to_hold_out)
        missing = to_hold_out + to_train - self.unassigned
        return max(missing, 1) if self.sources else missing

    @property
    def lacks(self) -> str:
        """What a training lacks, in a sentence; empty if it lacks nothing."""
        if self.missing <= 0:
            return ""
        if self.sources:
            sources = f"{self.sources} source text{'s' if self.sources > 1 else ''}"
            return (
                f"{self.unassigned} usable annotations are about {sources}, and those about one text are all trained on or"
                " all held out: submit some about other source texts"
            )
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
    recorded: Mapping[str, SplitName],
    texts: Sequence[str],
    min_train: int,
    *,
    has_trained: bool,
    groups: Sequence[str] = (),
) -> SplitAssignment:
    """Assign a split to each text that has none yet.

    No text is assigned before there are enough for a training. Then the texts with the lowest hashes are held out: one in
    six if enough are left to train on, and five at least. Later texts go by their hash, one in six, unless a split lacks
    texts again.

    The texts of a group are about one source text, and are assigned together, by the group's hash. A text in two groups
    joins them. A text with a recorded split keeps it, and new texts of its group follow it: to train if any of them trains,
    because the source text has trained then.

    Versions up to 0.3 kept no splits and went by the hash alone. If they trained, nobody knows on which texts, so the hash
    alone goes on to assign them. The recorded splits show that: they all agree with the hash.

    Args:
        recorded: all known splits of the project, of texts and of groups.
        texts: the shas of the labelled texts of its usable annotations.
        min_train: how many texts a training needs to train on.
        has_trained: whether a training of the project has ever begun; those versions gave each training a number.
        groups: the sha of each text's group, in the order of the texts; empty: each text is its own group.
    """
    hash_alone = all(name == split_of(sha) for sha, name in recorded.items()) if recorded else has_trained
    # What versions up to 0.3 trained on went by the hash of the text itself.
    grouped = bool(groups) and not (hash_alone and not recorded)
    splits: dict[str, SplitName] = {}
    new: dict[str, SplitName] = {}
    open_: list[_Bundle] = []
    for bundle in _bundles(texts, groups if grouped else texts):
        side = bundle.recorded_side(recorded)
        if side is None:
            open_.append(bundle)
        else:
            splits |= {sha: recorded.get(sha, side) for sha in bundle.texts}
            new |= {sha: side for sha in bundle.shas if sha not in recorded}
    number = sum(len(bundle.texts) for bundle in open_)
    to_hold_out, to_train = _missing(splits, min_train)
    sides: dict[str, SplitName] | None = {}
    if hash_alone or not to_hold_out + to_train:
        sides = {bundle.key: split_of(bundle.key) for bundle in open_}
    elif to_hold_out + to_train <= number:
        sides = _divide(open_, number, to_hold_out, to_train)
    assigned = {sha: sides[bundle.key] for bundle in open_ for sha in bundle.shas} if sides else {}
    splits |= {sha: assigned[sha] for bundle in open_ for sha in bundle.texts if sha in assigned}
    return SplitAssignment(
        splits=splits,
        new=new | assigned,
        unassigned=0 if assigned else number,
        min_train=min_train,
        by_hash=hash_alone,
        has_repeats=len(dict.fromkeys(texts)) < len(texts),
        sources=len(open_) if sides is None else 0,
    )


@dataclass(frozen=True)
class _Bundle:
    """Texts that are on one side, by their shas, and the lowest sha of their groups. `shas` has the groups too."""

    key: str
    texts: tuple[str, ...]
    shas: tuple[str, ...]

    def recorded_side(self, recorded: Mapping[str, SplitName]) -> SplitName | None:
        """The side of what is recorded of it; None if nothing is."""
        found = {recorded[sha] for sha in self.shas if sha in recorded}
        return None if not found else "train" if "train" in found else "eval"


def _bundles(texts: Sequence[str], groups: Sequence[str]) -> list[_Bundle]:
    """The texts, bundled by their groups, in the order of their keys."""
    parents: dict[str, str] = {}

    def root(sha: str) -> str:
        while (above := parents.setdefault(sha, sha)) != sha:
            parents[sha] = parents[above]
            sha = parents[sha]
        return sha

    for text, group in zip(texts, groups, strict=True):
        parents[root(text)] = root(group)
    own, members = dict(zip(texts, groups, strict=True)), defaultdict(list)
    for sha in parents:
        members[root(sha)].append(sha)
    keys: dict[str, str] = {}
    for group in groups:
        keys[root(group)] = min(group, keys.get(root(group), group))
    return sorted(
        (_Bundle(keys[top], tuple(sha for sha in shas if sha in own), tuple(shas)) for top, shas in members.items()),
        key=lambda bundle: bundle.key,
    )


def _divide(bundles: Sequence[_Bundle], number: int, to_hold_out: int, to_train: int) -> dict[str, SplitName] | None:
    """The sides of bundles with `number` texts, by their keys; None if they cannot be divided so that both have enough."""
    wanted = max(to_hold_out, min(number // HELD_OUT_ONE_IN, number - to_train))
    held_out: set[str] = set()
    held = 0
    by_size = sorted(bundles, key=lambda bundle: len(bundle.texts))
    for order, until, most in ((bundles, wanted, wanted), (by_size, to_hold_out, number - to_train)):
        for bundle in order:
            if bundle.key not in held_out and held < until and held + len(bundle.texts) <= most:
                held_out.add(bundle.key)
                held += len(bundle.texts)
    if held < to_hold_out:
        return None
    return {bundle.key: "eval" if bundle.key in held_out else "train" for bundle in bundles}


def _missing(splits: Mapping[str, SplitName], min_train: int) -> tuple[int, int]:
    """How many texts a training lacks to hold out, and how many to train on."""
    have = Counter(splits.values())
    return max(0, MIN_HELD_OUT - have["eval"]), max(0, min_train - have["train"])
