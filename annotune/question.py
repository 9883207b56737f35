"""A question about one task: the chat that is sent, and a reply that fits the labeling config."""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from annotune.chat import ChatRequest, Completion, Image, Message
from annotune.deadline import Deadline
from annotune.errors import AnswerCut, AnswerInvalid, AnswerRefused
from annotune.labeling.config import Labeling
from annotune.labeling.regions import valid_unicode
from annotune.models import ModelRef
from annotune.options import Options
from annotune.parallel import run_parallel
from annotune.prompt import Prompt
from annotune.reply import Reply
from annotune.score import score
from annotune.servers.base import ModelServer
from annotune.servers.capabilities import Capabilities

CANDIDATES = 20  # for each token; the most that Ollama and OpenAI return
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Question:
    """A prompt about one task's data."""

    labeling: Labeling
    prompt: Prompt
    data: Mapping[str, object]
    images: tuple[Image, ...] = ()

    @cached_property
    def messages(self) -> tuple[Message, ...]:
        """The chat, as `ask_messages`."""
        return ask_messages(self.labeling, self.prompt, self.data)

    @cached_property
    def sha(self) -> str:
        """Hex SHA-256 of all that the model is shown. A cache can keep it without keeping texts or pictures."""
        digest = hashlib.sha256(json.dumps([message.as_dict() for message in self.messages]).encode())
        for image in self.images:
            digest.update(hashlib.sha256(image.data).digest())
        return digest.hexdigest()

    def request(self, ref: ModelRef, options: Options, server: Capabilities, *, urgent: bool) -> ChatRequest:
        """The request to a model on a server with these capabilities. Raises as `ask_messages`."""
        return ChatRequest(
            model=ref.model,
            messages=self.messages,
            temperature=options.temperature,
            num_ctx=ref.num_ctx or options.num_ctx,
            max_tokens=options.max_tokens,
            schema=self.labeling.schema if server.schema else None,
            logprobs=server.logprobs,
            top_logprobs=CANDIDATES if server.logprobs and self.labeling.labels else 0,
            images=self.images,
            think=options.think,
            urgent=urgent,
        )

    def ask(
        self, server: ModelServer, ref: ModelRef, options: Options, deadline: Deadline, *, urgent: bool, calls: int
    ) -> Reply:
        """Ask a model. If the answer does not fit the labeling config, the model is told why and asked once more.

        Args:
            server: the model server.
            ref: the model.
            options: how the model is asked.
            deadline: of all calls together.
            urgent: a person waits for the reply.
            calls: the most calls at once, where several answers are asked for.

        Raises:
            AnswerRefused: no answer fits.
            ModelServerError: the server did not answer.
            NotFound: the server does not have the model.
            PromptTooLong: the messages do not fit the model's window.
            RequestInvalid: the task lacks a field, or the model cannot take the request.
        """
        request = self.request(ref, options, server.capabilities, urgent=urgent)
        if self.labeling.free_text:
            return self._ask_texts(server, request, options.num_responses, deadline, calls)
        completion = server.chat(request, deadline)
        try:
            return self._reply(completion)
        except AnswerInvalid as error:
            log.info("%s: the answer does not fit the labeling config: asking once more", ref)
            answer = Message("assistant", completion.text)
            correction = Message("user", f"That does not fit: {error}. Answer again, in the form that was asked for.")
            retry = replace(request, messages=(*request.messages, answer, correction))
        try:
            return self._reply(server.chat(retry, deadline))
        except AnswerInvalid as error:
            raise AnswerRefused(f"{ref}: two answers do not fit the labeling config: {error.summary}") from error

    def _ask_texts(
        self, server: ModelServer, request: ChatRequest, number: int, deadline: Deadline, calls: int
    ) -> Reply:
        """Ask `number` times for a free text. Equal texts count once, and empty ones not at all."""

        def ask() -> Completion:
            return server.chat(request, deadline)

        completions = run_parallel([ask] * number, calls)
        texts = {completion.text.strip(): completion for completion in completions if completion.text.strip()}
        if not texts:
            raise AnswerRefused(f"{request.model} answered with an empty text: try again, or change the prompt")
        try:
            for text in texts:
                self.labeling.regions(text, self.data)
        except AnswerInvalid as error:
            raise AnswerRefused(f"{request.model} answered with a text that cannot be kept: {error.summary}") from error
        region = self.labeling.text_region(self.labeling.controls[0].name, tuple(texts))
        cut = any(completion.finish == "length" for completion in completions)
        if cut:
            # Label Studio shows `meta.text` as a note on the region.
            region |= {"meta": {"text": [f"cut after {request.max_tokens} tokens"]}}
        confidence = None if cut else score(self.labeling, next(iter(texts.values())))
        return Reply((region,), tuple(texts), confidence, cut)

    def _reply(self, completion: Completion) -> Reply:
        """The regions of an answer.

        Raises:
            AnswerCut: the token limit ended the answer.
            AnswerInvalid: the answer does not fit the labeling config.
        """
        if completion.finish == "length":
            raise AnswerCut(f"the answer was cut after {completion.tokens} tokens: raise MAX_TOKENS")
        regions = self.labeling.regions(completion.text, self.data)
        text = self.labeling.answer(regions) or ""
        return Reply(tuple(regions), (text,), score(self.labeling, completion), cut=False)


def ask_messages(labeling: Labeling, prompt: Prompt, data: Mapping[str, object]) -> tuple[Message, ...]:
    """The chat that asks about a task. A training shows the model the same chat.

    The turns of a dialogue come before the prompt. The form of the answer comes after it.

    Raises:
        RequestInvalid: the task lacks a field that the config shows.
    """
    turns = labeling.turns_of(data)
    shown = () if turns else labeling.shown_in(data)
    *system, user = prompt.render(
        data, text="\n\n".join(text for _, text in shown), labels=labeling.labels, shown=shown
    )
    content = user.content
    if turns or labeling.instruction:
        content = "\n\n".join(part for part in (content.strip(), labeling.instruction) if part)
    return _alternating((*system, *turns, Message("user", content)))


def _alternating(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Join neighbouring messages of one role: many chat templates accept user and assistant only in turn.

    Halves of surrogate pairs are removed: JSON from Label Studio may hold one, and a request to a model server may not.
    """
    joined: list[Message] = []
    for message in messages:
        content = valid_unicode(message.content)
        if joined and joined[-1].role == message.role:
            joined[-1] = Message(message.role, f"{joined[-1].content}\n\n{content}")
        else:
            joined.append(Message(message.role, content))
    return tuple(joined)
