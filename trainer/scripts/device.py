"""What trains here: the device that the trainer's libraries can use.

Job: {"recipe": {"device": ...}}. Done: {"device": "cuda" or "cpu", "name": the GPU's or "", "torch": its version}.
"""

import importlib.util

from job_protocol import Emit, Refused, run

NEEDED = ("torch", "unsloth", "transformers", "trl", "peft", "datasets")


def device(job: dict, emit: Emit) -> dict:  # noqa: ARG001 - a step's signature
    """Look, and load torch alone."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise Refused(f"it lacks {', '.join(missing)}: make the trainer's environment anew (trainer/install.sh)")

    import torch  # noqa: PLC0415 - seconds, of which what is missing needs none

    there = torch.cuda.is_available()
    if job["recipe"]["device"] == "cuda" and not there:
        why = "its torch is built for a CPU alone" if torch.version.cuda is None else "torch sees none here"
        raise Refused(
            f"the recipe needs a GPU, and {why} (torch {torch.__version__}): run the worker where one is, make the"
            " trainer's environment for it (trainer/install.sh), or choose a recipe for a CPU"
        )
    return {
        "device": "cuda" if there else "cpu",
        "name": torch.cuda.get_device_name() if there else "",
        "torch": torch.__version__,
    }


if __name__ == "__main__":
    run(device)
