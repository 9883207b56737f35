"""Which rows of a dataset train and which are held out. The sides are those that Redis keeps of each project's texts.

Near-duplicates of one project, and questions about one source text, are assigned together. A text that has no side yet
follows what is recorded in other projects of it, of its source text or of a near-duplicate: it trains if one of them trains.
If near-duplicates were recorded on both sides before, the training row leaves the dataset.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from annotune.split import SplitName
from annotune.store.store import Store
from curation.alike_rows import AlikeRows
from curation.row_spool import RowKey


@dataclass(frozen=True)
class Sides:
    """The side of each row, by its number. `near_held_out` has the training rows that leave, and the held-out row of each.

    `lacks` says of a project why none of its texts is held out yet. `changed` are projects that got new records.
    """

    sides: tuple[SplitName, ...]
    near_held_out: Mapping[int, int]
    lacks: Mapping[int, str]
    changed: tuple[int, ...]

    def rows(self, side: SplitName) -> Iterator[int]:
        """The rows of a side, without those that leave."""
        return (row for row, found in enumerate(self.sides) if found == side and row not in self.near_held_out)


@dataclass
class SideAssigner:
    """Assigns sides and records them. `pin_ground_truth`: texts marked as ground truth are held out unless they trained."""

    store: Store
    min_train: int
    keys: Sequence[RowKey]
    alike: AlikeRows
    pin_ground_truth: bool = False
    recorded: dict[int, dict[str, SplitName]] = field(default_factory=dict)

    def assign(self, projects: Sequence[int]) -> Sides:
        """Assign a side to each row, one project after the other.

        Raises:
            StoreUnavailable, RecordUnreadable: the sides cannot be read or recorded.
        """
        self.recorded = {project: self.store.splits.all(project) for project in projects}
        rows_of: dict[int, list[int]] = defaultdict(list)
        for row, key in enumerate(self.keys):
            rows_of[key.project].append(row)
        sides: list[SplitName] = ["train"] * len(self.keys)
        lacks, changed = {}, []
        for project in projects:
            rows, before = rows_of[project], len(self.recorded[project])
            self._pin(project, rows)
            texts, groups = self._bundled(rows)
            assigned = self.store.splits.assign(project, texts, self.min_train, groups)
            for row in rows:
                sides[row] = assigned.splits.get(self.keys[row].text_sha, "train")
            self.recorded[project] |= assigned.new
            if len(self.recorded[project]) > before:
                changed.append(project)
            if assigned.lacks:
                lacks[project] = assigned.lacks
        return Sides(tuple(sides), dict(self._near_held_out(sides)), lacks, tuple(changed))

    def _pin(self, project: int, rows: Sequence[int]) -> None:
        """Record the sides of new texts that do not go by the hash."""
        own = self.recorded[project]
        new = [row for row in rows if self.keys[row].text_sha not in own and self.keys[row].group_sha not in own]
        pins: dict[str, SplitName] = {}
        for row in new:
            if side := self._side_elsewhere(project, row):
                pins[self.keys[row].text_sha] = side
        trained = {self.keys[row].group_sha for row in new if pins.get(self.keys[row].text_sha) == "train"}
        for row in new:
            key = self.keys[row]
            is_free = key.text_sha not in pins and key.group_sha not in trained
            if self.pin_ground_truth and key.is_ground_truth and is_free and not self._is_near_trained(row):
                pins[key.text_sha] = "eval"
        if pins:
            self.store.splits.restore(project, pins, emptied=False)
            own |= pins

    def _side_elsewhere(self, project: int, row: int) -> SplitName | None:
        """What other projects have recorded of a text, of its source text and of its near-duplicates."""
        key = self.keys[row]
        others = [recorded for number, recorded in self.recorded.items() if number != project]
        found = {recorded[sha] for recorded in others for sha in (key.text_sha, key.group_sha) if sha in recorded}
        for near in self.alike.near(row):
            other = self.keys[near]
            if other.project != project and (side := self.recorded[other.project].get(other.text_sha)):
                found.add(side)
        return None if not found else "train" if "train" in found else "eval"

    def _is_near_trained(self, row: int) -> bool:
        near = (self.keys[other] for other in self.alike.near(row))
        return any(self.recorded[key.project].get(key.text_sha) == "train" for key in near)

    def _bundled(self, rows: Sequence[int]) -> tuple[list[str], list[str]]:
        """The texts of a project and their groups. A near-duplicate has the other's group beside its own."""
        texts = [self.keys[row].text_sha for row in rows]
        groups = [self.keys[row].group_sha for row in rows]
        first: dict[int, RowKey] = {}
        for row in rows:
            first.setdefault(self.alike.class_of[row], self.keys[row])
        for row in rows:
            own = self.alike.class_of[row]
            for other in (own, *self.alike.duplicates.get(own, ())):
                if other in first and first[other].group_sha != self.keys[row].group_sha:
                    texts.append(self.keys[row].text_sha)
                    groups.append(first[other].group_sha)
        return texts, groups

    def _near_held_out(self, sides: Sequence[SplitName]) -> Iterator[tuple[int, int]]:
        """The training rows that are near a held-out one, and that one."""
        held: dict[int, int] = {}
        for row, side in enumerate(sides):
            if side == "eval":
                held.setdefault(self.alike.class_of[row], row)
        for row, side in enumerate(sides):
            if side == "train":
                own = self.alike.class_of[row]
                near = next(
                    (held[other] for other in (own, *self.alike.duplicates.get(own, ())) if other in held), None
                )
                if near is not None:
                    yield row, near
