"""The program of one loaded model: llama.cpp's own HTTP server on a free port, told as one JSON line on stdout.

One process per model, since several servers in one process hang when unloaded, and a GGUF with a bad block count
aborts the process it is loaded in. Killed to unload.
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
    told = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever llama.cpp prints belongs in the log

    params = xllamacpp.CommonParams()
    params.model.path = str(arguments.model)
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.ui = False
    params.use_jinja = True
    params.n_parallel = arguments.slots
    params.n_ctx = arguments.context * arguments.slots  # llama.cpp divides it among the slots
    params.kv_unified = False
    params.ctx_shift = False  # an over-long request is an error, never a silent cut
    params.cache_ram_mib = 0  # prompts of other conversations are not worth the laptop's memory
    for processors in (params.cpuparams, params.cpuparams_batch):
        processors.n_threads = arguments.threads
        # Threads that sleep when they wait. Spinning ones (50, the default) gave 4 tokens/s where these gave 87, on two
        # cores with a load of 3.
        processors.poll = 0
    server = xllamacpp.Server(params)
    with told:
        json.dump({"url": server.listening_address}, told)
        told.write("\n")
    threading.Event().wait()


if __name__ == "__main__":
    main()
