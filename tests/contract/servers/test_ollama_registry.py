"""What we ask an Ollama's registry, and what becomes of each of its answers."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from vendor import Reply, Vendor, json_reply

from annotune.errors import ModelServerError
from annotune.files import file_sha256
from annotune.servers.ollama import OllamaClient

Script = Callable[..., Vendor]
Adapter = Callable[[str], OllamaClient]


@pytest.mark.parametrize("body", [{}, [], "0.33.2", None])
def test_a_version_of_another_shape_is_no_ollama(vendor: Script, ollama: Adapter, body: object) -> None:
    with pytest.raises(ModelServerError, match="OLLAMA_ENDPOINT"):
        ollama(vendor(json_reply(body)).url).registry.version()


@pytest.mark.parametrize("body", [[], {"models": 3}, {"models": [3]}])
def test_a_list_of_models_of_another_shape_is_no_ollama(vendor: Script, ollama: Adapter, body: object) -> None:
    with pytest.raises(ModelServerError, match="OLLAMA_ENDPOINT"):
        ollama(vendor(json_reply(body)).url).registry.models()


def test_a_model_that_is_not_there_is_none(vendor: Script, ollama: Adapter) -> None:
    assert ollama(vendor(json_reply({"error": "model 'x' not found"}, 404)).url).registry.show("x") is None


def test_a_gguf_is_uploaded_whole(vendor: Script, ollama: Adapter, tmp_path: Path) -> None:
    gguf = tmp_path / "model.gguf"
    gguf.write_bytes(b"GGUF" * 1_000_000)
    sha = file_sha256(gguf)
    asked = vendor(Reply(404), Reply(201))
    ollama(asked.url).registry.push(gguf, sha)

    assert sha == hashlib.sha256(gguf.read_bytes()).hexdigest()
    assert [(request.method, request.path) for request in asked.asked] == [
        ("HEAD", f"/api/blobs/sha256:{sha}"),
        ("POST", f"/api/blobs/sha256:{sha}"),
    ]
    assert asked.asked[1].body == gguf.read_bytes()


def test_a_gguf_that_is_there_is_not_uploaded_again(vendor: Script, ollama: Adapter, tmp_path: Path) -> None:
    asked = vendor(Reply(200))
    ollama(asked.url).registry.push(tmp_path / "never-opened.gguf", "ab")

    assert [request.method for request in asked.asked] == ["HEAD"]


def test_a_model_is_created_without_a_template(vendor: Script, ollama: Adapter) -> None:
    asked = vendor(json_reply({"status": "success"}))
    ollama(asked.url).registry.create("annotune/p1:v0001", "ab", parameters={"num_ctx": 256})

    assert asked.paths == ["/api/create"]
    assert asked.asked[0].body == {
        "model": "annotune/p1:v0001",
        "stream": False,
        "files": {"model.gguf": "sha256:ab"},
        "parameters": {"num_ctx": 256},
    }


@pytest.mark.parametrize(
    "reply", [json_reply({"status": "creating"}), json_reply({"error": "no"}), json_reply({"error": "no"}, 400)]
)
def test_a_model_is_created_only_by_success(vendor: Script, ollama: Adapter, reply: Reply) -> None:
    with pytest.raises(ModelServerError):
        ollama(vendor(reply).url).registry.create("annotune/p1:v0001", "ab", parameters={})


def test_a_loaded_model_is_unloaded_before_it_is_deleted(vendor: Script, ollama: Adapter) -> None:
    asked = vendor(json_reply({"models": [{"model": "x"}]}), json_reply({"done": True}), Reply(200))
    ollama(asked.url).registry.delete("x")

    assert asked.paths == ["/api/ps", "/api/chat", "/api/delete"]
    assert asked.asked[1].body == {"model": "x", "messages": [], "keep_alive": 0, "stream": False}


def test_a_model_that_is_gone_is_deleted_already(vendor: Script, ollama: Adapter) -> None:
    asked = vendor(json_reply({"models": []}), json_reply({"error": "model 'x' not found"}, 404))
    ollama(asked.url).registry.delete("x")

    assert asked.paths == ["/api/ps", "/api/delete"]
