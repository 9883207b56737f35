"""The device that the trainer's libraries can use.

Job: {"recipe": {"device": ...}}. Done: {"device": "cuda" or "cpu", "name": the GPU's or "", "torch": its version}.
"""

import importlib.util

from job_protocol import Emit, JobError, run

NEEDED = ("torch", "unsloth", "transformers", "trl", "peft", "datasets")


def device(job: dict, emit: Emit) -> dict:  # noqa: ARG001 - a step's signature
    """Check that all libraries are installed, and load torch alone."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise JobError(f"it lacks {', '.join(missing)}: make the trainer's environment anew (trainer/install.sh)")

    import torch  # noqa: PLC0415 - takes seconds, and a missing library is reported without it

    has_gpu = torch.cuda.is_available()
    if job["recipe"]["device"] == "cuda" and not has_gpu:
        why = "its torch is built for a CPU alone" if torch.version.cuda is None else "torch sees none here"
        raise JobError(
            f"the recipe needs a GPU, and {why} (torch {torch.__version__}): run the worker where one is, make the"
            " trainer's environment for it (trainer/install.sh), or choose a recipe for a CPU"
        )
    return {
        "device": "cuda" if has_gpu else "cpu",
        "name": torch.cuda.get_device_name() if has_gpu else "",
        "torch": torch.__version__,
    }


if __name__ == "__main__":
    run(device)
