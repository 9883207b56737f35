"""An Ollama-compatible server over llama.cpp, for the demo and the tests on machines without Ollama."""

from embedded.ollama.service import OllamaServer

__all__ = ["OllamaServer"]
