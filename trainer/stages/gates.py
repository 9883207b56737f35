"""What a new version must pass before it may go live, each gate with a readable verdict.

Two things go wrong in silence when a model moves from training to a server: the chat template is replaced by one that
resembles it (Ollama 0.33), and a beginning-of-text token is added twice. So the server's text and its token count are
compared with what training saw. A verdict is logged and kept in the manifest: it never quotes a prompt or an answer.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from annotune.chat import ChatRequest, Completion, Message
from annotune.deadline import Deadline
from annotune.errors import (
    DeadlineExceeded,
    ModelServerBusy,
    ModelServerError,
    ModelServerUnreachable,
    PromptTooLong,
    TrainingFailed,
)
from annotune.models import Verdict
from annotune.servers.ollama import OllamaClient, as_request
from curation.dataset import Dataset
from trainer.stages.register import retry_until_available

CALL_S = 300
AGAIN_S = 2
ANSWER_TOKENS = 256
STOPS_BY_ITSELF = 0.9


class Rendered(BaseModel):
    """A line of `rendered.jsonl`: a held-out prompt as training saw it, and its number of tokens."""

    model_config = ConfigDict(frozen=True)

    id: int
    text: str
    tokens: int


@dataclass(frozen=True)
class HeldOut:
    """A held-out prompt, and what training made of it."""

    messages: tuple[Message, ...]
    answer: str
    rendered: Rendered


@dataclass(frozen=True)
class Losses:
    """Mean held-out loss in nats a token."""

    base: float
    tuned: float


@dataclass(frozen=True)
class Candidate:
    """A model on a server. Its window is set on each call as it was baked in: another one would load it again."""

    server: OllamaClient
    model: str
    num_ctx: int

    def render(self, messages: Sequence[Message]) -> str:
        return retry_until_available(lambda: self.server.render(self._request(messages, 1), Deadline.after(CALL_S)))

    def chat(self, messages: Sequence[Message], *, max_tokens: int) -> Completion:
        return retry_until_available(
            lambda: self.server.chat(self._request(messages, max_tokens), Deadline.after(CALL_S))
        )

    def _request(self, messages: Sequence[Message], max_tokens: int) -> ChatRequest:
        return as_request(self.model, messages, num_ctx=self.num_ctx, max_tokens=max_tokens)


def read_held_out(dataset: Dataset, rendered: Path) -> tuple[HeldOut, ...]:
    """The held-out examples beside what training wrote of them.

    Raises:
        TrainingFailed: it did not write of all.
    """
    try:
        lines = [Rendered.model_validate_json(line) for line in rendered.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValidationError) as error:
        raise TrainingFailed(f"training left no readable {rendered.name}: {type(error).__name__}") from error
    by_id = {line.id: line for line in lines}
    if by_id.keys() != {example.origin.annotation for example in dataset.held_out}:
        raise TrainingFailed(f"{rendered.name} does not hold the {len(dataset.held_out)} held-out prompts")
    return tuple(HeldOut(item.messages, item.answer, by_id[item.origin.annotation]) for item in dataset.held_out)


def run_gates(
    candidate: Candidate, held_out: Sequence[HeldOut], losses: Losses, *, max_tokens: int
) -> tuple[Verdict, ...]:
    """The verdicts in order. What no answer could fix is not asked: whether a model stops that is served otherwise than
    it was trained, or anything of one that cannot be run.

    `max_tokens` is what an answer may have when served. Raises ModelServerUnreachable if the server stays away.
    """
    verdicts = [answers(candidate)]
    if verdicts[0].passed:
        verdicts += [rendered_text(candidate, held_out), token_count(candidate, held_out)]
    if all(verdict.passed for verdict in verdicts):
        verdicts.append(stops(candidate, held_out, max_tokens=max_tokens))
    return (*verdicts, held_out_loss(losses))


def answers(candidate: Candidate) -> Verdict:
    """The server can run it: Ollama creates, shows and renders models of which each chat is an error."""

    def ask() -> Verdict:
        candidate.chat([Message("user", "Hello?")], max_tokens=1)
        return _passed("answers", "a chat was answered")

    return _asked("answers", ask, may_quote=True)


def rendered_text(candidate: Candidate, held_out: Sequence[HeldOut]) -> Verdict:
    """The server gives the model the very text that training gave it."""

    def ask() -> Verdict:
        for prompt in held_out:
            text = candidate.render(prompt.messages)
            if text != prompt.rendered.text:
                return _refused("rendered text", _difference(text, prompt))
        return _passed("rendered text", f"equal to training's for all {len(held_out)} held-out prompts")

    return _asked("rendered text", ask)


def token_count(candidate: Candidate, held_out: Sequence[HeldOut]) -> Verdict:
    """A real call counts as many tokens as training did: one more is a doubled beginning-of-text."""

    def ask() -> Verdict:
        for prompt in held_out:
            counted, trained = candidate.chat(prompt.messages, max_tokens=1).prompt_tokens, prompt.rendered.tokens
            if counted != trained:
                return _refused(
                    "token count",
                    f"the server counts {counted} tokens where training counted {trained} (annotation"
                    f" {prompt.rendered.id}): it adds, drops or splits special tokens",
                )
        return _passed("token count", f"equal to training's for all {len(held_out)} held-out prompts")

    return _asked("token count", ask)


def stops(candidate: Candidate, held_out: Sequence[HeldOut], *, max_tokens: int) -> Verdict:
    """At least nine tenths of the answers end by themselves.

    An answer may have 256 tokens, or, where the accepted ones are long, about twice theirs (four characters a token).
    """
    longest = max(len(prompt.answer) for prompt in held_out)
    limit = min(max_tokens, max(ANSWER_TOKENS, longest // 2))

    def ask() -> Verdict:
        ended = sum(candidate.chat(prompt.messages, max_tokens=limit).finish == "stop" for prompt in held_out)
        reason = f"{ended} of {len(held_out)} answers end by themselves within {limit} tokens"
        if ended < STOPS_BY_ITSELF * len(held_out):
            return _refused("stops by itself", f"{reason}, and nine tenths must")
        return _passed("stops by itself", reason)

    return _asked("stops by itself", ask)


def held_out_loss(losses: Losses) -> Verdict:
    """Training lowered the loss on what it did not see; a loss that is no number did not."""
    if losses.tuned < losses.base:
        return _passed("held-out loss", f"{losses.tuned:.4f}, below the base's {losses.base:.4f}")
    return _refused("held-out loss", f"the held-out loss is {losses.tuned:.4f}, not below the base's {losses.base:.4f}")


def _passed(gate: str, reason: str) -> Verdict:
    return Verdict(gate=gate, passed=True, reason=reason)


def _refused(gate: str, reason: str) -> Verdict:
    return Verdict(gate=gate, passed=False, reason=reason)


def _asked(gate: str, ask: Callable[[], Verdict], *, may_quote: bool = False) -> Verdict:
    """The verdict; an error that comes twice is one too. Once it may be a server on its way down, which then stays away.

    A server's own message may hold what it was sent, so that it is told only where that was nobody's text.
    """
    for tries_left in (1, 0):
        try:
            return ask()
        except (ModelServerUnreachable, ModelServerBusy):
            raise
        except (PromptTooLong, DeadlineExceeded) as error:
            refused = _refused(gate, str(error))
        except ModelServerError as error:
            told = (
                str(error) if may_quote else f"a held-out prompt ended in {type(error).__name__}: see the server's log"
            )
            refused = _refused(gate, told)
        if tries_left:
            time.sleep(AGAIN_S)
    return refused


def _difference(served: str, prompt: HeldOut) -> str:
    """Where the server's text leaves training's, and whose part that is."""
    trained = prompt.rendered.text
    at = next((i for i, (one, other) in enumerate(zip(served, trained, strict=False)) if one != other), None)
    at = min(len(served), len(trained)) if at is None else at
    starts = [(trained.find(message.content), message) for message in prompt.messages]
    inside = [message.role for start, message in starts if 0 <= start <= at < start + len(message.content)]
    part = f"the {inside[0]} message" if inside else "what the chat template adds to the messages"
    return (
        f"the server renders another text than training did: {len(served)} characters where training had {len(trained)},"
        f" and they part at character {at}, in {part} (annotation {prompt.rendered.id})"
    )
