"""What a question asks of a server."""

from dataclasses import replace

from annotune.labeling.config import Labeling
from annotune.models import ModelRef
from annotune.options import Options
from annotune.prompt import Prompt
from annotune.question import CANDIDATES, Question
from annotune.servers.ollama import OllamaClient
from annotune.settings import Settings

CHOICES = """<View>
  <Text name="text" value="$text"/>
  <Choices name="topic" toName="text"><Choice value="sports"/><Choice value="news"/></Choices>
</View>"""
REF = ModelRef.parse("ollama:llama3")
ALL = OllamaClient.capabilities


def question() -> Question:
    return Question(Labeling.parse(CHOICES), Prompt("Which topic?"), {"text": "It rained."})


def test_a_server_is_asked_for_a_schema_and_log_probabilities() -> None:
    request = question().request(REF, Options.of(Settings()), ALL, urgent=False)

    assert request.schema
    assert request.schema == question().labeling.schema
    assert (request.logprobs, request.top_logprobs) == (True, CANDIDATES)


def test_a_server_is_not_asked_for_what_it_cannot_do() -> None:
    neither = replace(ALL, schema=False, logprobs=False)
    request = question().request(REF, Options.of(Settings()), neither, urgent=False)

    assert (request.schema, request.logprobs, request.top_logprobs) == (None, False, 0)
