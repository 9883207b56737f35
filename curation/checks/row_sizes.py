"""Rows that are too long to train on, and rows that hold nothing where something must be."""

from collections.abc import Iterator, Mapping

from annotune.prompt import Prompt
from curation.checks.finding import Finding
from curation.dataset_reader import DatasetRow
from curation.estimate import CHARACTERS_PER_TOKEN
from curation.lineage import SOURCE
from curation.manifest import About


def tokens(row: DatasetRow) -> int:
    """About how many tokens the chat and the answer have. A character that is not ASCII counts as one."""
    texts = (*(message.content for message in row.messages), row.answer)
    characters = sum(map(len, texts))
    simple = sum(len(text) if text.isascii() else len(text.encode("ascii", "ignore")) for text in texts)
    return -(-simple // CHARACTERS_PER_TOKEN) + characters - simple


class TooLong:
    """Rows of more tokens than a training takes."""

    def __init__(self, max_tokens: int) -> None:
        self._max = max_tokens

    def add(self, row: DatasetRow) -> Iterator[Finding]:
        if (found := tokens(row)) > self._max:
            yield Finding("too long", (row.id,), "messages", f"about {found} tokens, of at most {self._max}")

    def end(self) -> Iterator[Finding]:
        yield from ()


class EmptyTexts:
    """Rows without a question or an answer, and chats whose prompt places a source text that is empty."""

    def __init__(self, about: About) -> None:
        self._prompts = placing_source(about)

    def add(self, row: DatasetRow) -> Iterator[Finding]:
        for name, text in (("question", row.question), ("answer", row.answer)):
            if not text.strip():
                yield Finding("empty", (row.id,), name)
        prompt = self._prompts.get(row.origin.prompt_sha)
        if prompt and _asked(row) in _without_source(prompt, row.question):
            yield Finding("empty context", (row.id,), "messages")

    def end(self) -> Iterator[Finding]:
        yield from ()


def placing_source(about: About) -> Mapping[str, Prompt]:
    """The prompts of a dataset's chats that place the source text, by sha."""
    return {
        each.sha: Prompt(each.text, each.template, each.system or "")
        for each in about.prompts
        if each.text is not None and each.template is not None and f"{{{SOURCE}}}" in each.text
    }


def _without_source(prompt: Prompt, question: str) -> set[str]:
    """What the prompt asks about a question without a source text, in each way that a project may show them."""
    data = {"question": question, SOURCE: ""}
    shown = [(), (("question", question),), (("question", question), (SOURCE, "")), (("text", question),)]
    chats = (prompt.render(data, text=question, shown=each) for each in shown)
    return {" ".join(chat[-1].content.split()) for chat in chats}


def _asked(row: DatasetRow) -> str:
    return " ".join(row.messages[-1].content.split()) if row.messages else ""
