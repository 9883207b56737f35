"""An estimate of what a plan takes, in tokens and money. No model is asked for an answer."""

from collections import defaultdict
from dataclasses import dataclass, field, replace

from annotune.chat import ChatRequest
from annotune.deadline import Deadline
from annotune.errors import AnnotuneError, ModelServerError, NotFound, RequestInvalid
from annotune.label_studio.client import LabelStudioClient
from annotune.label_studio.rows import TaskRow
from annotune.log import log_unexpected
from annotune.prices import Price, Prices
from annotune.prompt import PlaceholderCheck
from annotune.question import Question
from annotune.servers.base import ModelServer
from curation.plan import Plan

SAMPLE = 20
COUNT_S = 60.0  # the first call may load the model
CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True)
class Estimate:
    """Tokens and cost of all tasks of a plan.

    The model server counted the tokens of `counted` tasks; 0 if it could not, and then `count_error` says why.
    `answer_tokens` is the most that the answers can have. `price` is None if none is known. `questions` are those about the
    first tasks, by task id. `failed` holds the ids of tasks that cannot be asked about, by reason. `placeholder_warning` is
    a sentence about placeholders of the prompt that name nothing, or empty.
    """

    tasks: int
    skipped: int
    prompt_tokens: float
    answer_tokens: int
    counted: int
    count_error: str
    price: Price | None
    questions: dict[int, Question]
    failed: dict[str, list[int]]
    placeholder_warning: str

    @property
    def is_exact(self) -> bool:
        """Whether the tokens of each task were counted."""
        return bool(self.counted) and self.counted == self.tasks

    @property
    def cost_usd(self) -> float | None:
        """The most that it costs, in USD. None if no price is known."""
        return self.price.usd(self.prompt_tokens, self.answer_tokens) if self.price else None


def estimate(
    plan: Plan, label_studio: LabelStudioClient, server: ModelServer | None, *, prices: Prices, questions: int = 1
) -> Estimate:
    """Render what the model would be asked about each task, and count the tokens.

    Args:
        plan: what is asked, about which tasks.
        label_studio: where the tasks are.
        server: counts the tokens of the first `SAMPLE` prompts; None if counting costs money.
        prices: the price table.
        questions: how many questions to keep.

    Raises:
        LabelStudioError, Unauthorized: Label Studio did not answer as it should.
    """
    tally = _Tally(plan, server, questions)
    placeholders = PlaceholderCheck(plan.prompt.text)
    for task in plan.tasks(label_studio, placeholders, tally.skip):
        tally.add(task)
    rate = sum(tally.counted) / tally.sampled if tally.sampled else 1 / CHARACTERS_PER_TOKEN
    return Estimate(
        tasks=tally.tasks,
        skipped=tally.skipped,
        prompt_tokens=tally.characters * rate * plan.calls,
        answer_tokens=tally.tasks * plan.calls * plan.options.max_tokens,
        counted=len(tally.counted),
        count_error=tally.count_error,
        price=prices.of(plan.ref),
        questions=tally.questions,
        failed=dict(tally.failed),
        placeholder_warning=placeholders.warning,
    )


@dataclass
class _Tally:
    """Counts task by task. `sampled` are the characters of the prompts whose tokens were counted."""

    plan: Plan
    server: ModelServer | None
    most_questions: int
    tasks: int = 0
    skipped: int = 0
    characters: int = 0
    sampled: int = 0
    counted: list[int] = field(default_factory=list)
    count_error: str = ""
    questions: dict[int, Question] = field(default_factory=dict)
    failed: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def skip(self) -> None:
        self.skipped += 1

    def add(self, task: TaskRow) -> None:
        question = self.plan.question(task.data)
        try:
            self.plan.image_addresses(task.data)  # a task that lacks one cannot be asked about
            length = sum(len(message.content) for message in question.messages)
            self._count(question, length)
        except RequestInvalid as error:
            self.failed[str(error)].append(task.id)
            return
        except AnnotuneError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault in one task does not end the estimate
            self.failed[str(log_unexpected(error))].append(task.id)
            return
        self.tasks += 1
        self.characters += length
        if len(self.questions) < self.most_questions:
            self.questions[task.id] = question

    def _count(self, question: Question, length: int) -> None:
        """Let the server count the tokens of a prompt of `length` characters, if it belongs to the sample."""
        if self.server is None or self.count_error or len(self.counted) >= SAMPLE:
            return
        try:
            request = question.request(self.plan.ref, self.plan.options, self.server.capabilities, urgent=False)
            self.counted.append(_prompt_tokens(self.server, request))
            self.sampled += length
        except (ModelServerError, NotFound) as error:
            self.count_error = str(error)


def _prompt_tokens(server: ModelServer, request: ChatRequest) -> int:
    """The tokens of a prompt. The server reports them with an answer of one token, which is not used."""
    bare = replace(request, max_tokens=1, schema=None, logprobs=False, top_logprobs=0, images=(), think=False)
    return server.chat(bare, Deadline.after(COUNT_S)).prompt_tokens
