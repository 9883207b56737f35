"""One task put to a model: what is sent, and the reply that fits the labeling config."""

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

CANDIDATES = 20  # the most that Ollama and OpenAI give
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
        """The chat. A dialogue's turns come before the prompt, the form of the answer after it.

        Raises:
            RequestInvalid: the task lacks a field that the config shows.
        """
        return ask_messages(self.labeling, self.prompt, self.data)

    @cached_property
    def sha(self) -> str:
        """Hex SHA-256 of all that the model is shown: what keeps it holds neither texts nor pictures."""
        digest = hashlib.sha256(json.dumps([message.as_dict() for message in self.messages]).encode())
        for image in self.images:
            digest.update(hashlib.sha256(image.data).digest())
        return digest.hexdigest()

    def request(self, ref: ModelRef, options: Options, *, urgent: bool) -> ChatRequest:
        """The call that asks it."""
        return ChatRequest(
            model=ref.model,
            messages=self.messages,
            temperature=options.temperature,
            num_ctx=ref.num_ctx or options.num_ctx,
            max_tokens=options.max_tokens,
            schema=self.labeling.schema,
            logprobs=True,
            top_logprobs=CANDIDATES if self.labeling.labels else 0,
            images=self.images,
            think=options.think,
            urgent=urgent,
        )

    def ask(
        self, server: ModelServer, ref: ModelRef, options: Options, deadline: Deadline, *, urgent: bool, calls: int
    ) -> Reply:
        """Ask a model; an answer that does not fit is asked for once more, with what is wrong with it.

        Args:
            server: the model server.
            ref: the model.
            options: how it is asked.
            deadline: for all of it.
            urgent: a person waits.
            calls: at most so many at a time, where several answers are wanted.

        Raises:
            AnswerRefused: no answer came that fits.
            ModelServerError: the server did not answer.
            PromptTooLong: the messages do not fit the model's window.
        """
        request = self.request(ref, options, urgent=urgent)
        if self.labeling.free_text:
            return self._texts(server, request, options.num_responses, deadline, calls)
        completion = server.chat(request, deadline)
        try:
            return self._fitting(completion)
        except AnswerInvalid as error:
            log.info("%s answered what does not fit: asking once more", ref)
            said = Message("assistant", completion.text)
            mended = Message("user", f"That does not fit: {error}. Answer again, in the form that was asked for.")
            again = replace(request, messages=(*request.messages, said, mended))
        try:
            return self._fitting(server.chat(again, deadline))
        except AnswerInvalid as error:
            raise AnswerRefused(
                f"{ref} answered twice what does not fit the labeling config: {error.summary}"
            ) from error

    def _texts(self, server: ModelServer, request: ChatRequest, number: int, deadline: Deadline, calls: int) -> Reply:
        def once() -> Completion:
            return server.chat(request, deadline)

        completions = run_parallel([once] * number, calls)
        said = {completion.text.strip(): completion for completion in completions if completion.text.strip()}
        if not said:
            raise AnswerRefused(f"{request.model} answered with an empty text: try again, or change the prompt")
        try:
            for text in said:
                self.labeling.regions(text, self.data)
        except AnswerInvalid as error:
            raise AnswerRefused(f"{request.model} answered what cannot be kept: {error.summary}") from error
        region = self.labeling.text_region(self.labeling.controls[0].name, tuple(said))
        cut = any(completion.finish == "length" for completion in completions)
        if cut:
            # Label Studio's own place for a note.
            region |= {"meta": {"text": [f"cut after {request.max_tokens} tokens"]}}
        sure = None if cut else score(self.labeling, next(iter(said.values())))
        return Reply((region,), tuple(said), sure, cut)

    def _fitting(self, completion: Completion) -> Reply:
        if completion.finish == "length":
            raise AnswerCut(f"the answer was cut after {completion.tokens} tokens: raise MAX_TOKENS")
        regions = self.labeling.regions(completion.text, self.data)
        text = self.labeling.answer(regions) or ""
        return Reply(tuple(regions), (text,), score(self.labeling, completion), cut=False)


def ask_messages(labeling: Labeling, prompt: Prompt, data: Mapping[str, object]) -> tuple[Message, ...]:
    """The chat that asks about a task; a training shows the model the same.

    Raises:
        RequestInvalid: the task lacks a field that the config shows.
    """
    turns = labeling.turns_of(data)
    shown = () if turns else labeling.shown_in(data)
    *system, asked = prompt.render(
        data, text="\n\n".join(text for _, text in shown), labels=labeling.labels, shown=shown
    )
    content = asked.content
    if turns or labeling.instruction:
        content = "\n\n".join(part for part in (content.strip(), labeling.instruction) if part)
    return _alternating((*system, *turns, Message("user", content)))


def _alternating(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Neighbours of one role made one: many chat templates take user and assistant in turn only.

    No half surrogate pair is left: JSON may hold one, and a call to a model server may not.
    """
    joined: list[Message] = []
    for message in messages:
        content = valid_unicode(message.content)
        if joined and joined[-1].role == message.role:
            joined[-1] = Message(message.role, f"{joined[-1].content}\n\n{content}")
        else:
            joined.append(Message(message.role, content))
    return tuple(joined)
