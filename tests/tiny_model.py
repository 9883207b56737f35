"""A tiny random Llama that is served one token more than it was trained with.

Its chat template writes a beginning-of-text, and its GGUF tells the server's tokenizer to put one before any
text. llama.cpp's server takes the template's away if the text starts with it; a newline before it hides it.
Run by the trainer's interpreter:
`TRAINER_PYTHON tests/tiny_model.py FOLDER` writes FOLDER/merged, rendered.jsonl and model.gguf.
"""

import json
import subprocess
import sys
from pathlib import Path

import sentencepiece
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

CONVERT = Path(__file__).parents[1] / "trainer" / "scripts" / "convert.py"
TEMPLATE = (
    "{{ '\n' + bos_token }}{% for message in messages %}{{ 'User: ' + message['content'] + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
WORDS = ["the", "usual", "dose", "of", "a", "drug", "is", "what", "who", "makes", "it"]
VOCABULARY = 320  # 256 bytes, three control tokens, and some pieces of the words
QUESTION = "What is the usual dose?"


def build(folder: Path) -> None:
    """Write the checkpoint, what training counted, and the GGUF."""
    merged = folder / "merged"
    merged.mkdir(parents=True)
    write_tokenizer(merged)
    write_weights(merged)
    write_rendered(merged, folder / "rendered.jsonl")
    job = {"output": str(folder), "recipe": {"quantization": "f16"}, "llama_cpp_dir": ""}
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    subprocess.run([sys.executable, CONVERT, "--job", folder / "job.json"], check=True)


def write_tokenizer(merged: Path) -> None:
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(WORDS), *WORDS]),
        model_prefix=str(merged / "tokenizer"),
        model_type="bpe",
        vocab_size=VOCABULARY,
        byte_fallback=True,
        hard_vocab_limit=False,
        add_dummy_prefix=False,
        minloglevel=2,
    )
    (merged / "tokenizer.vocab").unlink()
    config = {
        "tokenizer_class": "LlamaTokenizer",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "add_bos_token": True,
        "add_eos_token": False,
        "add_prefix_space": False,  # else the two tokenizers differ in that as well
        "chat_template": TEMPLATE,
    }
    (merged / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")


def write_weights(merged: Path) -> None:
    torch.manual_seed(0)
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(merged / "tokenizer.model"))
    config = LlamaConfig(
        vocab_size=pieces.vocab_size(),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        bos_token_id=1,
        eos_token_id=2,
    )
    LlamaForCausalLM(config).to(torch.float16).save_pretrained(merged)


def write_rendered(merged: Path, path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(merged)
    question = [{"role": "user", "content": QUESTION}]
    text = tokenizer.apply_chat_template(question, add_generation_prompt=True, tokenize=False)
    tokens = len(tokenizer(text, add_special_tokens=False)["input_ids"])
    path.write_text(json.dumps({"id": "tiny", "text": text, "tokens": tokens}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    build(Path(sys.argv[1]))
