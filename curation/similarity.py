"""Near-duplicates of short texts: which questions are one question in other words, and which only look so.

Two texts are alike if the sets of their 3-word shingles have a Jaccard similarity of `THRESHOLD` or more. Letter case,
punctuation and width do not count. Alike texts are near-duplicates unless they differ in a rare word: a drug's name or a
number makes another question of the same sentence. Such a pair is similar, and a person may look at it.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any

THRESHOLD = 0.8
# A word is common if this share of the texts has it, in a set that is large enough to tell.
COMMON_SHARE, FEWEST_TEXTS = 0.5, 20
# Of more texts that are all alike, some are in the index of similar pairs: a cluster of n texts has n^2 pairs.
CLUSTER = 20
# Words that never make another question. "not", "with", "from", "or", "can" and "what" may, so they are not here.
FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an the is are was were be been do does did of in on at for to by as that this these those it its there"
        " please me us you your my our",
    )
)
# 16 bands of 4 rows find a pair of similarity 0.8 in all but 2 of 10,000 cases, 8 bands in all but 150.
_PERMUTATIONS, _BANDS = 64, 16
_SIMILAR_PERMUTATIONS, _SIMILAR_BANDS = 32, 8
_SEED = 42
_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")
_POINT = re.compile(r"(?<=\d)[.,](?=\d)")
# Thai to Tibetan, Burmese, Khmer, kana and Han have no blanks between words: each letter counts as one.
_UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_DECIMAL_POINT = "\u066b"
_SHORTEST_PLURAL = 4


@dataclass(frozen=True)
class Text:
    """A text as it is compared: its words in order."""

    words: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> "Text":
        """The words of a text. A text without any, such as `???`, has itself as its word."""
        normal = unicodedata.normalize("NFKC", text).casefold().encode("utf-8", "replace").decode()
        words = _WORD.findall(normal) if normal.isascii() else list(_words_of_any_script(normal))
        return cls(tuple(words) or ("".join(normal.split()),))

    @property
    def joined(self) -> str:
        """The words with a blank between them."""
        return " ".join(self.words)

    @cached_property
    def shingles(self) -> frozenset[tuple[str, ...]]:
        return shingles(self.words)

    def rare(self, common: Collection[str]) -> tuple[str, ...]:
        """Its rare words, each once, in order. The plural of a word is the same word."""
        words = (word for word in self.words if word not in common and word not in FUNCTION_WORDS)
        return tuple(dict.fromkeys(map(_singular, words)))

    def similarity(self, other: "Text") -> float:
        """The Jaccard similarity of the shingles, between 0 and 1."""
        shared = len(self.shingles & other.shingles)
        return shared / (len(self.shingles) + len(other.shingles) - shared)


@dataclass(frozen=True)
class Near:
    """A text that is alike: its key, and the rare words that only one of the two texts has or that are in another order."""

    key: int
    similarity: float
    differs: tuple[str, ...] = ()

    @property
    def is_duplicate(self) -> bool:
        return not self.differs


@dataclass
class WordCount:
    """Counts in how many texts each word is, to tell which are common."""

    texts: int = 0
    words: Counter[str] = field(default_factory=Counter)

    def add(self, text: str) -> None:
        self.texts += 1
        self.words.update({word for word in Text.of(text).words if not word[:1].isdigit()})

    @property
    def common(self) -> frozenset[str]:
        """The words of at least half of the texts; none in a set of fewer than `FEWEST_TEXTS`."""
        if self.texts < FEWEST_TEXTS:
            return frozenset()
        least = self.texts * COMMON_SHARE
        return frozenset(word for word, count in self.words.items() if count >= least)


def common_words(texts: Iterable[str]) -> frozenset[str]:
    """The words that at least half of the texts have. A number is never common."""
    count = WordCount()
    for text in texts:
        count.add(text)
    return count.common


def shingles(words: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    """All runs of three words. A shorter text is one shingle, so it is like equal texts only."""
    return frozenset(zip(words, words[1:], words[2:], strict=False)) or frozenset([words])


def similarity(one: str, other: str) -> float:
    """The Jaccard similarity of two texts' shingles, between 0 and 1."""
    return Text.of(one).similarity(Text.of(other))


@dataclass(frozen=True)
class _Hashed:
    """A text, and its MinHashes for near-duplicates and for similar texts."""

    text: Text
    duplicate: Any
    similar: Any


class SimilarityIndex:
    """Texts, to find those that are alike. The same texts in the same order give the same answers in every process.

    Args:
        common: words beside `FUNCTION_WORDS` that do not make another question, as `common_words` finds them. Without
            them more pairs count as similar, and fewer as near-duplicates.
    """

    def __init__(self, common: Collection[str] = ()) -> None:
        from rensa import RMinHashLSH  # noqa: PLC0415 - for commands alone; the backend goes without

        self._common = frozenset(common)
        self._keys: dict[str, int] = {}
        self._texts: list[str] = []
        self._duplicates: Any = RMinHashLSH(THRESHOLD, _PERMUTATIONS, _BANDS)
        self._similar: Any = RMinHashLSH(THRESHOLD, _SIMILAR_PERMUTATIONS, _SIMILAR_BANDS)
        self._last: tuple[str, _Hashed] | None = None

    def add(self, key: int, text: str) -> None:
        """Add a text. Of texts with the same words, the key of the first one stays."""
        added = self._hashed(text)
        joined, place = added.text.joined, len(self._texts)
        if joined in self._keys:
            return
        self._keys[joined] = key
        self._texts.append(joined)
        self._duplicates.insert(place, added.duplicate)
        if len(self._similar.query(added.similar)) < CLUSTER:
            self._similar.insert(place, added.similar)

    def same(self, text: str) -> int | None:
        """The key of the text that has the very same words; None if there is none."""
        return self._keys.get(Text.of(text).joined)

    def duplicate(self, text: str) -> int | None:
        """The key of the text that this one is the nearest duplicate of; None if there is none."""
        asked = Text.of(text)
        if (key := self._keys.get(asked.joined)) is not None:
            return key
        found = self._near(asked, self._duplicates.query(self._duplicate_hash(asked)))
        return next((near.key for near in _nearest(found) if near.is_duplicate), None)

    def near(self, text: str) -> tuple[Near, ...]:
        """The texts that are like this one, the nearest first. Of many that are similar, about `CLUSTER` are told."""
        asked = self._hashed(text)
        places = set(self._duplicates.query(asked.duplicate)) | set(self._similar.query(asked.similar))
        return _nearest(self._near(asked.text, places))

    def _hashed(self, text: str) -> "_Hashed":
        """A text with its MinHashes. The last one is kept, since a text is mostly looked for and then added."""
        if self._last is None or self._last[0] != text:
            made = Text.of(text)
            similar = _min_hash(map(" ".join, made.shingles), _SIMILAR_PERMUTATIONS)
            self._last = (text, _Hashed(made, self._duplicate_hash(made), similar))
        return self._last[1]

    def _near(self, asked: Text, places: Iterable[int]) -> list[Near]:
        """Those of the candidates that are alike indeed."""
        found = []
        rare, own = asked.rare(self._common), asked.shingles
        for place in sorted(places):
            joined = self._texts[place]
            words = tuple(joined.split(" "))
            others = shingles(words)
            shared = len(own & others)
            alike = shared / (len(own) + len(others) - shared)
            if alike >= THRESHOLD:
                found.append(Near(self._keys[joined], alike, _difference(rare, Text(words).rare(self._common))))
        return found

    def _duplicate_hash(self, text: Text) -> Any:
        """A MinHash in which texts with other rare words share nothing, so that such candidates never come up."""
        rare = " ".join(text.rare(self._common))
        return _min_hash((f"{rare}|{' '.join(shingle)}" for shingle in text.shingles), _PERMUTATIONS)


def _difference(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    """The words that one of the two has alone; if they have the same in another order, all of them."""
    if first == second:
        return ()
    return tuple(sorted(set(first) ^ set(second))) or first


def _nearest(found: Iterable[Near]) -> tuple[Near, ...]:
    return tuple(sorted(found, key=lambda near: (-near.similarity, bool(near.differs), near.key)))


def _min_hash(shingles: Iterable[str], permutations: int) -> Any:
    from rensa import RMinHash  # noqa: PLC0415 - as above

    made = RMinHash(permutations, _SEED)
    made.update(sorted(shingles))
    return made


def _singular(word: str) -> str:
    is_plural = len(word) >= _SHORTEST_PLURAL and word.endswith("s") and not word.endswith("ss")
    return word[:-1] if is_plural else word


def _words_of_any_script(text: str) -> Iterator[str]:
    """As `_WORD`, with the vowel signs and accents of a word, which regular expressions take for its end."""
    for kind, characters in groupby(_POINT.sub(_DECIMAL_POINT, text), _kind):
        if kind == "letter":
            yield from characters
        elif kind:
            yield "".join(characters).replace(_DECIMAL_POINT, ".")


def _kind(character: str) -> str:
    """What a character makes words of: a number, a letter that is a word by itself, or a word. Empty: none."""
    if character.isdecimal() or character == _DECIMAL_POINT:
        return "number"
    if _UNSPACED.match(character):
        return "letter"
    return "word" if character.isalpha() or unicodedata.category(character).startswith("M") else ""
