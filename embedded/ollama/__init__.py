"""An Ollama-compatible server over real llama.cpp, for the demo and the tests: what a laptop lacks."""

from embedded.ollama.service import OllamaServer

__all__ = ["OllamaServer"]
