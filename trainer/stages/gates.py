"""Gates: what a new version must pass before it may go live, each with a verdict in a sentence.

Two things can go wrong unnoticed when a model moves from training to a server. Ollama 0.33 replaces a chat template by a
known one that resembles it, and a beginning-of-text token is added twice. So the server's text and its token count are
compared with those of training. A verdict goes to the log and to the manifest: it never quotes a prompt or an answer.
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
from annotune.servers.ollama import OllamaClient
from curation.dataset import Dataset
from trainer.active_run import ActiveRun
from trainer.retry import retry_until_available

CALL_S = 300
RETRY_PAUSE_S = 2
ANSWER_TOKENS = 256
LEAST_STOPPED = 0.9


class Rendered(BaseModel):
    """A line of `rendered.jsonl`: a held-out prompt as training rendered it, and its number of tokens."""

    model_config = ConfigDict(frozen=True)

    id: int
    text: str
    tokens: int


@dataclass(frozen=True)
class HeldOut:
    """A held-out prompt with its accepted answer, and what training made of the prompt."""

    messages: tuple[Message, ...]
    answer: str
    rendered: Rendered

    @property
    def name(self) -> str:
        """What a person looks for: the annotation, or the row of a dataset, which has a negative id."""
        number = self.rendered.id
        return f"annotation {number}" if number > 0 else f"row {-number} of the datasets"


@dataclass(frozen=True)
class Losses:
    """Mean held-out loss in nats a token."""

    base: float
    tuned: float


@dataclass(frozen=True)
class Candidate:
    """A model on a server. Each call sends the window that it was created with: with another one Ollama loads it again."""

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
        return ChatRequest.greedy(self.model, messages, num_ctx=self.num_ctx, max_tokens=max_tokens)


def check_gates(
    active: ActiveRun, candidate: Candidate, dataset: Dataset, losses: Losses, *, max_tokens: int
) -> tuple[Verdict, ...]:
    """The stage of a training: the verdicts of all gates for its candidate.

    Raises:
        TrainingFailed: training left no rendered prompts.
        ModelServerUnreachable, ModelServerBusy: the server stayed away.
    """
    with active.stage("gates"):
        held_out = read_held_out(dataset, active.folder / "rendered.jsonl")
        return run_gates(candidate, held_out, losses, max_tokens=max_tokens)


def read_held_out(dataset: Dataset, rendered: Path) -> tuple[HeldOut, ...]:
    """The held-out examples, each with the line that training wrote for it.

    Raises:
        TrainingFailed: the lines are not those of all held-out examples.
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
    """The verdicts in order. A model that does not run gets no verdict on its prompts, and one that is served otherwise
    than it was trained gets none on how its answers end.

    Args:
        candidate: the model on the server.
        held_out: the prompts to check it with.
        losses: of the base and of the new model.
        max_tokens: the most that an answer may have when served.

    Raises:
        ModelServerUnreachable, ModelServerBusy: the server stayed away.
    """
    verdicts = [answers(candidate)]
    if verdicts[0].passed:
        verdicts += [rendered_text(candidate, held_out), token_count(candidate, held_out)]
    if all(verdict.passed for verdict in verdicts):
        verdicts.append(stops(candidate, held_out, max_tokens=max_tokens))
    return (*verdicts, held_out_loss(losses))


def answers(candidate: Candidate) -> Verdict:
    """The server can run the model: Ollama creates, shows and renders models whose every chat fails."""

    def check() -> Verdict:
        candidate.chat([Message("user", "Hello?")], max_tokens=1)
        return _passed("answers", "a chat was answered")

    return _retry_once("answers", check, may_quote=True)


def rendered_text(candidate: Candidate, held_out: Sequence[HeldOut]) -> Verdict:
    """The server gives the model the same text as training did."""

    def check() -> Verdict:
        for prompt in held_out:
            text = candidate.render(prompt.messages)
            if text != prompt.rendered.text:
                return _refused("rendered text", _difference(text, prompt))
        return _passed("rendered text", f"equal to training's for all {len(held_out)} held-out prompts")

    return _retry_once("rendered text", check)


def token_count(candidate: Candidate, held_out: Sequence[HeldOut]) -> Verdict:
    """A chat has as many prompt tokens as training counted: one more is a second beginning-of-text."""

    def check() -> Verdict:
        for prompt in held_out:
            counted, trained = candidate.chat(prompt.messages, max_tokens=1).prompt_tokens, prompt.rendered.tokens
            if counted != trained:
                return _refused(
                    "token count",
                    f"the server counts {counted} tokens where training counted {trained}"
                    f" ({prompt.name}): it adds, drops or splits special tokens",
                )
        return _passed("token count", f"equal to training's for all {len(held_out)} held-out prompts")

    return _retry_once("token count", check)


def stops(candidate: Candidate, held_out: Sequence[HeldOut], *, max_tokens: int) -> Verdict:
    """At least nine tenths of the answers end by themselves.

    An answer may have 256 tokens. Where the longest accepted answer is longer, it may have about twice as many as that
    one (at four characters a token).
    """
    longest = max(len(prompt.answer) for prompt in held_out)
    limit = min(max_tokens, max(ANSWER_TOKENS, longest // 2))

    def check() -> Verdict:
        ended = sum(candidate.chat(prompt.messages, max_tokens=limit).finish == "stop" for prompt in held_out)
        reason = f"{ended} of {len(held_out)} answers end by themselves within {limit} tokens"
        if ended < LEAST_STOPPED * len(held_out):
            return _refused("stops by itself", f"{reason}, and nine tenths must")
        return _passed("stops by itself", reason)

    return _retry_once("stops by itself", check)


def held_out_loss(losses: Losses) -> Verdict:
    """Training lowered the held-out loss. A loss that is not a number counts as not lower."""
    if losses.tuned < losses.base:
        return _passed("held-out loss", f"{losses.tuned:.4f}, below the base's {losses.base:.4f}")
    return _refused("held-out loss", f"the held-out loss is {losses.tuned:.4f}, not below the base's {losses.base:.4f}")


def _passed(gate: str, reason: str) -> Verdict:
    return Verdict(gate=gate, passed=True, reason=reason)


def _refused(gate: str, reason: str) -> Verdict:
    return Verdict(gate=gate, passed=False, reason=reason)


def _retry_once(gate: str, check: Callable[[], Verdict], *, may_quote: bool = False) -> Verdict:
    """The verdict of a check. Where it fails twice with an error, the error is the verdict: a server that is going down
    fails once and is unreachable then.

    A server's message may quote what it was sent: the verdict repeats it only where `may_quote` says that this is
    nobody's text.
    """
    for tries_left in (1, 0):
        try:
            return check()
        except (ModelServerUnreachable, ModelServerBusy):
            raise
        except (PromptTooLong, DeadlineExceeded) as error:
            refused = _refused(gate, str(error))
        except ModelServerError as error:
            hidden = f"a held-out prompt ended in {type(error).__name__}: see the server's log"
            refused = _refused(gate, str(error) if may_quote else hidden)
        if tries_left:
            time.sleep(RETRY_PAUSE_S)
    return refused


def _difference(served: str, prompt: HeldOut) -> str:
    """Where the server's text first differs from training's, and which part of the prompt that is."""
    trained = prompt.rendered.text
    at = next((i for i, (one, other) in enumerate(zip(served, trained, strict=False)) if one != other), None)
    at = min(len(served), len(trained)) if at is None else at
    starts = [(trained.find(message.content), message) for message in prompt.messages]
    inside = [message.role for start, message in starts if 0 <= start <= at < start + len(message.content)]
    part = f"the {inside[0]} message" if inside else "what the chat template adds to the messages"
    return (
        f"the server renders another text than training did: {len(served)} characters where training had {len(trained)},"
        f" and they part at character {at}, in {part} ({prompt.name})"
    )
