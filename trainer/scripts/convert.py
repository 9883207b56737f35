"""A merged checkpoint folder -> one quantised GGUF.

Job: {"output": folder, "recipe": {"quantization": q8_0 | q4_k_m | f16}, "llama_cpp_dir": folder or ""}.
Reads `merged/` of the output folder, writes `model.gguf`. With `llama_cpp_dir` (llama.cpp as its published
image lays it out) its converter and llama-quantize are used, else those of the trainer's environment.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from job_protocol import Emit, JobError, atomic_write, die_with_parent, file_sha256, run

# Apart from the environment: its `gguf` and `conversion` packages would shadow those of other distributions.
CONVERTER = Path(sys.prefix) / "convert"
FTYPES = {"q4_k_m": 15}
"""llama.cpp's numbers of the quantisations that its converter cannot write by itself."""
TAIL = 400
"""Characters of a failed program's output that its error repeats."""


def convert(job: dict, emit: Emit) -> dict:
    """Convert the merged checkpoint and quantise it."""
    began = time.monotonic()
    output, quantization = Path(job["output"]), job["recipe"]["quantization"]
    llama_cpp = Path(job["llama_cpp_dir"]) if job["llama_cpp_dir"] else None
    emit("converting")
    with atomic_write(output / "model.gguf") as temporary:
        if quantization in FTYPES:
            with scratch_file(output / "f16.gguf") as f16:
                to_gguf(output / "merged", f16, "f16", llama_cpp)
                emit("quantising")
                quantise(f16, temporary, quantization, llama_cpp)
        else:
            to_gguf(output / "merged", temporary, quantization, llama_cpp)
        sha256 = file_sha256(temporary)
    gguf = output / "model.gguf"
    seconds = round(time.monotonic() - began, 1)
    return {"gguf": str(gguf), "sha256": sha256, "bytes": gguf.stat().st_size, "seconds": seconds}


@contextlib.contextmanager
def scratch_file(path: Path) -> Iterator[Path]:
    """A file that is removed after the block."""
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def to_gguf(merged: Path, gguf: Path, outtype: str, llama_cpp: Path | None) -> None:
    """Run llama.cpp's converter. It writes f16 and q8_0 by itself, and no k-quants."""
    folder = llama_cpp or CONVERTER
    script = folder / "convert_hf_to_gguf.py"
    if not script.is_file():
        raise JobError(f"There is no convert_hf_to_gguf.py in {folder}.")
    environment = {**os.environ, "PYTHONPATH": str(folder / "gguf-py" if llama_cpp else folder)}
    run_program([sys.executable, script, merged, "--outtype", outtype, "--outfile", gguf], environment)


def quantise(source: Path, target: Path, quantization: str, llama_cpp: Path | None) -> None:
    """Run llama-quantize, or the same function of the cyllama package."""
    threads = len(os.sched_getaffinity(0))
    if llama_cpp:
        arguments = [llama_cpp / "llama-quantize", source, target, quantization.upper(), str(threads)]
        run_program(arguments, dict(os.environ))
        return
    try:
        from cyllama.llama import llama_cpp as library  # noqa: PLC0415
    except ImportError:
        raise JobError(
            f"Nothing here can make {quantization}: name a llama.cpp folder in LLAMA_CPP_DIR, or use q8_0."
        ) from None
    parameters = library.LlamaModelQuantizeParams()
    parameters.ftype, parameters.nthread = FTYPES[quantization], threads
    library.model_quantize(str(source), str(target), parameters)
    if not target.is_file():
        raise JobError(f"The model could not be quantised to {quantization}.")


def run_program(command: list[str | Path], environment: dict[str, str]) -> None:
    """Run a program that dies with this one. Its output goes to stderr, and the end of it into the error."""
    done = subprocess.run(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        preexec_fn=die_with_parent,
    )
    sys.stderr.write(done.stdout)
    if done.returncode != 0:
        name = next(Path(part).name for part in command if part != sys.executable)
        raise JobError(f"{name} failed ({done.returncode}): {' '.join(done.stdout[-TAIL:].split())}")


if __name__ == "__main__":
    run(convert)
