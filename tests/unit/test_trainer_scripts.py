"""The trainer's scripts as far as they run without the trainer's packages."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import jinja2
import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "trainer" / "scripts"
sys.path.insert(0, str(SCRIPTS))

import chat  # noqa: E402 - found by the path above, as the trainer's interpreter finds it
import job_protocol  # noqa: E402
import prepare  # noqa: E402
import train  # noqa: E402

RECIPES = sorted((ROOT / "prompts" / "recipes").glob("*.toml"))
KEYS = {
    "": {"base", "revision", "served_as", "device", "max_seq_length", "load_in_4bit", "dtype", "chat_template"}
    | {"quantization", "num_ctx", "lora", "training"},
    "lora": {"r", "alpha", "dropout", "bias", "target_modules", "use_rslora"}
    | {"gradient_checkpointing", "random_state"},
    "training": {"batch_size", "gradient_accumulation_steps", "warmup_steps", "epochs", "max_steps"}
    | {"learning_rate", "optimizer", "weight_decay", "scheduler", "packing", "precision", "seed"},
}
CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


class Tokenizer:
    """Renders as transformers does: Jinja with blocks trimmed."""

    bos_token, bos_token_id = "<s>", 1

    def __init__(self, template: str, *, puts_bos: bool = False) -> None:
        self.chat_template = template
        self.puts_bos = puts_bos

    def __call__(self, text: str) -> dict[str, list[int]]:
        return {"input_ids": [self.bos_token_id] * self.puts_bos + [2 + ord(character) for character in text]}

    def apply_chat_template(
        self, messages: list[dict[str, str]], *, add_generation_prompt: bool, tokenize: bool
    ) -> str:
        assert not tokenize
        environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)  # noqa: S701 - no HTML
        return environment.from_string(self.chat_template).render(
            messages=messages, add_generation_prompt=add_generation_prompt, bos_token="<s>", eos_token="</s>"
        )


def script(body: str, job: Path) -> tuple[int, list[dict[str, object]], str]:
    """Exit status, the JSON lines, and stderr of a script whose step has this body."""
    program = f"import os\nfrom job_protocol import *\ndef step(job, emit):\n    {body}\nrun(step)"
    done = subprocess.run(
        [sys.executable, "-c", program, "--job", job],
        env={"PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


@pytest.fixture
def job(tmp_path: Path) -> Path:
    path = tmp_path / "job.json"
    path.write_text('{"base": "b"}', encoding="utf-8")
    return path


def test_a_script_says_what_it_does_and_that_it_is_done(job: Path) -> None:
    assert script("emit('step', loss=1.5); return {'path': job['base']}", job)[:2] == (
        0,
        [{"event": "step", "loss": 1.5}, {"event": "done", "path": "b"}],
    )


def test_what_libraries_print_never_reaches_the_lines(job: Path) -> None:
    status, events, errors = script("print('noise'); os.system('echo deeper'); return {}", job)
    assert (status, events) == (0, [{"event": "done"}])
    assert "noise" in errors
    assert "deeper" in errors


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise JobError('Too short: approve more.')", "Too short: approve more."),
        ("raise ValueError('first\\nsecond')", "ValueError: first"),
        ("raise ValueError", "ValueError: no message"),
        ("job['recipe']", "job.json lacks 'recipe', or what it names does."),
    ],
)
def test_an_error_is_one_sentence_and_its_traceback_is_apart(job: Path, body: str, message: str) -> None:
    status, events, errors = script(body, job)
    assert (status, events) == (1, [{"event": "error", "message": message}])
    assert "Traceback" in errors


def test_an_unreadable_job_is_an_error_line_too(tmp_path: Path) -> None:
    status, [event], _ = script("return {}", tmp_path / "absent.json")
    assert (status, event["event"]) == (1, "error")


def test_what_is_written_is_whole_or_absent(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    for content in ("first", "second"):
        with job_protocol.atomic_write(target) as temporary:
            temporary.mkdir()
            (temporary / "file").write_text(content, encoding="utf-8")
    with pytest.raises(FileExistsError), job_protocol.atomic_write(target) as temporary:
        [path.mkdir() for path in (temporary, temporary)]
    assert (target / "file").read_text(encoding="utf-8") == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("template", [CHATML, CHATML + "\n", "{{ bos_token }}{{ messages[-1]['content'] }}\n\nA:\n"])
def test_the_comment_is_far_from_any_template_and_renders_to_nothing(template: str) -> None:
    plain, commented = Tokenizer(template), Tokenizer(template)
    chat.set_template(commented, "")
    assert len(chat.TEMPLATE_COMMENT) > 120
    assert commented.chat_template.endswith(chat.TEMPLATE_COMMENT)
    for messages in chat.SAMPLES:
        assert chat.render(commented, messages) == chat.render(plain, messages)
    assert chat.with_comment(commented.chat_template) == commented.chat_template


@pytest.mark.parametrize(
    ("puts_bos", "text", "served"),
    [(True, "<s>Hello", "Hello"), (False, "<s>Hello", "<s>Hello"), (True, "\n<s>Hello", "\n<s>Hello")],
)
def test_a_beginning_that_the_server_puts_itself_is_not_in_its_text(puts_bos: bool, text: str, served: str) -> None:
    assert chat.as_served(Tokenizer(CHATML, puts_bos=puts_bos), text) == served


def test_a_base_without_a_template_is_refused_unless_the_recipe_has_one() -> None:
    with pytest.raises(job_protocol.JobError, match="chat_template"):
        chat.set_template(Tokenizer(""), "")
    chat.set_template(Tokenizer(""), CHATML)


def test_a_packaged_base_that_is_not_installed_is_named() -> None:
    with pytest.raises(job_protocol.JobError, match="'no_such_package'"):
        prepare.find_packaged("no_such_package/model.gguf")


def test_any_other_base_needs_no_preparing() -> None:
    job = {"recipe": {"base": "hub/name", "revision": ""}, "cache": "unused"}
    assert prepare.prepare(job, lambda *_, **__: None) == {"base": "hub/name", "source": "hub/name"}


def test_a_row_that_a_library_refuses_is_named_by_its_annotation_and_not_quoted() -> None:
    refuses = Tokenizer("{{ messages[0].content.no_such.attribute }}")
    row = {"id": 7, "messages": [{"role": "user", "content": "a secret"}], "answer": "Yes."}
    with pytest.raises(job_protocol.JobError, match="annotation 7") as refused:
        train.tokenise(row, refuses, {"training": {"packing": False}})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_has_every_key_and_no_other(path: Path) -> None:
    recipe = tomllib.loads(path.read_text(encoding="utf-8"))
    assert set(recipe) == KEYS[""]
    assert set(recipe["lora"]) == KEYS["lora"]
    assert set(recipe["training"]) == KEYS["training"]


def test_the_articles_template_closes_turns_with_the_end_of_text() -> None:
    recipe = tomllib.loads((ROOT / "prompts" / "recipes" / "article.toml").read_text(encoding="utf-8"))
    text = chat.render(Tokenizer(recipe["chat_template"]), chat.SAMPLES[1])
    assert text == (
        "<s>Be brief.\n\n### Instruction:\nHello?\n\n### Response:\nHello.</s>\n\n"
        "### Instruction:\nGoodbye?\n\n### Response:\n"
    )
