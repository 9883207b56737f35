"""The program that serves one loaded model: llama.cpp's HTTP server on a free port.

It prints its URL as one JSON line. Each model has its own process: several servers in one process hang when they are
unloaded, and a GGUF with a bad block count aborts its process. To unload a model, its process is killed.
"""

import argparse
import json
import os
import sys
import threading
from pathlib import Path

import xllamacpp


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--context", type=int, required=True, help="tokens of one request, prompt and answer")
    parser.add_argument("--slots", type=int, required=True, help="requests answered at once")
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    announcement = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what llama.cpp prints goes to the log

    params = xllamacpp.CommonParams()
    params.model.path = str(arguments.model)
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.ui = False
    params.use_jinja = True
    params.n_parallel = arguments.slots
    params.n_ctx = arguments.context * arguments.slots  # llama.cpp divides it by the number of slots
    params.kv_unified = False
    params.ctx_shift = False  # too long a request is an error and is not cut silently
    params.cache_ram_mib = 0  # no cache of earlier prompts, to save memory
    for processors in (params.cpuparams, params.cpuparams_batch):
        processors.n_threads = arguments.threads
        # Waiting threads sleep. On two cores with a load of 3 this gave 87 tokens/s; spinning threads (50, the default)
        # gave 4.
        processors.poll = 0
    server = xllamacpp.Server(params)
    with announcement:
        json.dump({"url": server.listening_address}, announcement)
        announcement.write("\n")
    threading.Event().wait()


if __name__ == "__main__":
    main()
