"""`python -m embedded.ollama`: an Ollama-compatible server over llama.cpp, by default on loopback only."""

import argparse
from pathlib import Path

import uvicorn

from embedded.ollama.pool import Limits, Pool
from embedded.ollama.registry import Registry
from embedded.ollama.server import application


def main() -> None:
    defaults = Limits()
    parser = argparse.ArgumentParser(prog="embedded.ollama", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=11434)
    parser.add_argument("--models", type=Path, required=True, help="folder of blobs and manifests")
    parser.add_argument("--slots", type=int, default=defaults.slots, help="requests at once per model")
    parser.add_argument("--context", type=int, default=defaults.context, help="tokens of a request without num_ctx")
    parser.add_argument("--max-loaded", type=int, default=defaults.models, help="models in memory at once")
    parser.add_argument("--threads", type=int, default=defaults.threads, help="CPU threads of a model")
    arguments = parser.parse_args()
    limits = Limits(arguments.slots, arguments.context, arguments.max_loaded, arguments.threads)
    app = application(Pool(Registry(arguments.models), limits))
    uvicorn.run(app, host=arguments.host, port=arguments.port, log_level="warning", timeout_graceful_shutdown=1)


if __name__ == "__main__":
    main()
