"""What a run would take, in tokens and money, without asking a model for an answer."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from annotune.chat import ChatRequest
from annotune.deadline import Deadline
from annotune.errors import AnnotuneError, ModelServerError, NotFound, RequestInvalid
from annotune.label_studio.rows import TaskRow
from annotune.log import unexpected
from annotune.prices import Price
from annotune.question import Question
from annotune.servers.base import ModelServer
from curation.plan import Plan

SAMPLE = 20
COUNT_S = 60.0  # the first call may have to load the model
CHARACTERS_A_TOKEN = 4


@dataclass(frozen=True)
class Estimate:
    """Tokens that all tasks take; `counted` tasks were counted by the model server, 0 where it cannot count.

    `shown` are the questions about the first tasks, `unfit` the tasks that cannot be asked, by reason.
    """

    tasks: int
    prompt_tokens: float
    answer_tokens: int
    counted: int
    uncounted: str
    shown: tuple[tuple[int, Question], ...]
    unfit: dict[str, list[int]]

    @property
    def is_exact(self) -> bool:
        """Was each task counted?"""
        return bool(self.counted) and self.counted == self.tasks

    def usd(self, price: Price) -> float:
        """What it costs at most, in USD."""
        return price.usd(self.prompt_tokens, self.answer_tokens)


def estimate(plan: Plan, tasks: Iterable[TaskRow], server: ModelServer | None, *, show: int) -> Estimate:
    """Render what all tasks would be asked, and count it.

    Args:
        plan: what is asked.
        tasks: about which tasks; read once, one at a time.
        server: counts the first `SAMPLE` prompts; None where counting would cost money.
        show: keep so many questions.
    """
    asked, characters, sample, why = 0, 0, 0, ""
    counted: list[int] = []
    shown: list[tuple[int, Question]] = []
    unfit: dict[str, list[int]] = {}
    for task in tasks:
        question = plan.question(task.data)
        try:
            plan.image_addresses(task.data)  # a task that lacks one cannot be asked
            length = sum(len(message.content) for message in question.messages)
            if server and not why and len(counted) < SAMPLE:
                counted.append(_tokens(server, question.request(plan.ref, plan.options, urgent=False)))
                sample += length
        except RequestInvalid as error:
            unfit.setdefault(str(error), []).append(task.id)
            continue
        except (ModelServerError, NotFound) as error:
            why = str(error)
        except AnnotuneError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault that one odd task brings out ends no estimate
            unfit.setdefault(str(unexpected(error)), []).append(task.id)
            continue
        asked, characters = asked + 1, characters + length
        if len(shown) < show:
            shown.append((task.id, question))
    rate = sum(counted) / sample if sample else 1 / CHARACTERS_A_TOKEN
    return Estimate(
        tasks=asked,
        prompt_tokens=characters * rate * plan.calls,
        answer_tokens=asked * plan.calls * plan.options.max_tokens,
        counted=len(counted),
        uncounted=why,
        shown=tuple(shown),
        unfit=unfit,
    )


def _tokens(server: ModelServer, request: ChatRequest) -> int:
    """A prompt's tokens: an answer of one token, which is thrown away, brings their count."""
    bare = replace(request, max_tokens=1, schema=None, logprobs=False, top_logprobs=0, images=(), think=False)
    return server.chat(bare, Deadline.after(COUNT_S)).prompt_tokens
