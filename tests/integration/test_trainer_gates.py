"""The gates refuse what is served otherwise than it was trained."""

import json
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from doubles import FakeOllama, Replay, count, render, serving

from annotune.chat import Message
from annotune.models import Verdict
from annotune.servers.ollama import OllamaClient
from embedded.ollama import OllamaServer as EmbeddedOllama
from trainer.stages import gates
from trainer.stages.gates import (
    Candidate,
    HeldOut,
    Losses,
    Rendered,
    held_out_loss,
    rendered_text,
    run_gates,
    stops,
    token_count,
)

RECORDED = Path(__file__).parent / "data" / "rendered-by-ollama.jsonl"
TINY_MODEL = Path(__file__).resolve().parents[1] / "tiny_model.py"
QUESTION = "What is the capital of France? Answer with one word."
# What training rendered: the base's own ChatML has a default system text.
TRAINED = Rendered(
    id=1,
    text=(
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
    ),
    tokens=42,
)
HELD_OUT = (HeldOut((Message("user", QUESTION),), "Paris", TRAINED),)
BETTER = Losses(base=2.0, tuned=1.0)


@pytest.fixture(scope="module")
def recorded() -> Iterator[OllamaClient]:
    """What a real Ollama 0.33.0-rc2 answered."""
    with serving(Replay(RECORDED)) as url:
        server = OllamaClient(url)
        yield server
        server.close()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FakeOllama, Candidate]]:
    monkeypatch.setattr(gates, "RETRY_PAUSE_S", 0)
    double = FakeOllama()
    with serving(double) as url:
        server = OllamaClient(url)
        yield double, Candidate(server, "annotune/test-p1:v0001-00000000", 2048)
        server.close()


def prompts(number: int, answer: str = "Yes.") -> tuple[HeldOut, ...]:
    texts = [f"question {at}" for at in range(number)]
    return tuple(
        HeldOut((Message("user", text),), answer, Rendered(id=at, text=rendered, tokens=count(rendered)))
        for at, text in enumerate(texts)
        for rendered in [render([{"role": "user", "content": text}])]
    )


@pytest.mark.parametrize("model", ["annotune/p1:v0001", "tpl/near:v1"])
def test_a_chat_template_that_ollama_replaced_by_one_it_knows_is_refused(recorded: OllamaClient, model: str) -> None:
    verdict = rendered_text(Candidate(recorded, model, 2048), HELD_OUT)

    assert not verdict.passed
    assert "part at character 12, in what the chat template adds to the messages (annotation 1)" in verdict.reason


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (lambda text: text.replace("secret", "SECRET"), "part at character 15, in the user message (annotation 7)"),
        (lambda text: text + "\n", "36 characters where training had 35, and they part at character 35"),
        (lambda text: text[:20], "20 characters where training had 35, and they part at character 20"),
    ],
)
def test_a_difference_is_told_without_a_word_of_the_prompt(
    fake: tuple[FakeOllama, Candidate], changed: Callable[[str], str], told: str
) -> None:
    double, candidate = fake
    messages = [Message("user", "What is secret?")]
    text = render([message.as_dict() for message in messages])
    double.render = lambda sent: changed(render(sent))

    verdict = rendered_text(candidate, [HeldOut(tuple(messages), "Yes.", Rendered(id=7, text=text, tokens=1))])

    assert not verdict.passed
    assert told in verdict.reason
    assert "secret" not in verdict.reason.lower()


@pytest.mark.parametrize("gate", [rendered_text, token_count, partial(stops, max_tokens=8)])
def test_an_error_of_the_server_is_told_without_what_it_quotes(
    fake: tuple[FakeOllama, Candidate], gate: Callable[[Candidate, tuple[HeldOut, ...]], Verdict]
) -> None:
    double, candidate = fake
    double.chat_error = "cannot tokenize: question 0"

    verdict = gate(candidate, prompts(5))

    assert not verdict.passed
    assert verdict.reason == "a held-out prompt ended in ModelServerError: see the server's log"


def test_tokens_that_a_replaced_template_lacks_are_refused(recorded: OllamaClient) -> None:
    verdict = token_count(Candidate(recorded, "tpl/near:v1", 2048), HELD_OUT)

    assert not verdict.passed
    assert "counts 21 tokens where training counted 42" in verdict.reason


def test_a_template_with_the_long_comment_passes_all_gates(recorded: OllamaClient) -> None:
    verdicts = run_gates(Candidate(recorded, "tpl/pad:v1", 2048), HELD_OUT, BETTER, max_tokens=64)

    assert [verdict.gate for verdict in verdicts if not verdict.passed] == []
    assert len(verdicts) == 5


def test_a_model_served_otherwise_than_trained_is_not_asked_whether_it_stops(recorded: OllamaClient) -> None:
    verdicts = run_gates(Candidate(recorded, "tpl/near:v1", 2048), HELD_OUT, BETTER, max_tokens=64)

    assert [(verdict.gate, verdict.passed) for verdict in verdicts] == [
        ("answers", True),
        ("rendered text", False),
        ("token count", False),
        ("held-out loss", True),
    ]


def test_a_model_of_which_every_chat_fails_is_refused_with_the_servers_reason(
    fake: tuple[FakeOllama, Candidate],
) -> None:
    double, candidate = fake
    double.chat_error = "_Map_base::at"

    verdicts = run_gates(candidate, prompts(5), BETTER, max_tokens=64)

    assert [verdict.gate for verdict in verdicts] == ["answers", "held-out loss"]
    assert not verdicts[0].passed
    assert "_Map_base::at" in verdicts[0].reason


@pytest.mark.parametrize(("babbling", "passed"), [(0, True), (1, True), (2, False)])
def test_nine_tenths_of_the_answers_must_end_by_themselves(
    fake: tuple[FakeOllama, Candidate], babbling: int, passed: bool
) -> None:
    double, candidate = fake
    asked: list[str] = []
    answer = double.answer

    def babble(method: str, path: str, body: dict) -> tuple[int, dict]:
        asked.append(path)
        double.done_reason = "length" if len(asked) <= babbling else "stop"
        return answer(method, path, body)

    double.answer = babble

    verdict = stops(candidate, prompts(10), max_tokens=64)

    assert verdict.passed is passed
    assert f"{10 - babbling} of 10 answers end by themselves within 64 tokens" in verdict.reason


@pytest.mark.parametrize(("answer", "limit"), [("Yes.", 256), ("y" * 1000, 500), ("y" * 9000, 1024)])
def test_an_answer_may_be_as_long_as_the_accepted_ones(
    fake: tuple[FakeOllama, Candidate], answer: str, limit: int
) -> None:
    verdict = stops(fake[1], prompts(5, answer), max_tokens=1024)

    assert f"within {limit} tokens" in verdict.reason


@pytest.mark.parametrize(
    ("base", "tuned", "passed"),
    [(2.0, 1.0, True), (2.0, 2.0, False), (1.0, 2.0, False), (2.0, float("nan"), False), (float("nan"), 1.0, False)],
)
def test_only_a_lower_held_out_loss_passes(base: float, tuned: float, passed: bool) -> None:
    assert held_out_loss(Losses(base, tuned)).passed is passed


@pytest.mark.training
def test_a_beginning_of_text_that_the_server_adds_is_refused(trainer_python: Path, tmp_path: Path) -> None:
    """A tiny random model, of which training counted one token fewer than the server's tokenizer makes."""
    subprocess.run([trainer_python, TINY_MODEL, tmp_path / "tiny"], check=True, capture_output=True, timeout=300)
    row = json.loads((tmp_path / "tiny" / "rendered.jsonl").read_text())
    seen = Rendered(id=1, text=row["text"], tokens=row["tokens"])
    held_out = (HeldOut((Message("user", row["text"].split("User: ")[1].split("\n")[0]),), "5 mg", seen),)

    with EmbeddedOllama(tmp_path / "ollama") as embedded:
        embedded.add_model("tiny:v1", tmp_path / "tiny" / "model.gguf", {"num_ctx": 512})
        server = OllamaClient(embedded.url)
        verdicts = run_gates(Candidate(server, "tiny:v1", 512), held_out, BETTER, max_tokens=8)
        server.close()

    assert [(verdict.gate, verdict.passed) for verdict in verdicts] == [
        ("answers", True),
        ("rendered text", True),
        ("token count", False),
        ("held-out loss", True),
    ]
    assert f"counts {seen.tokens + 1} tokens where training counted {seen.tokens}" in verdicts[2].reason
