"""The quality of a small model's answers: `make bench-answers`.

SmolLM2-135M on the embedded server classifies 200 generated sentences of patients, with structured output, as in a batch.
The script prints how many answers fit the labeling config, and the accuracy in each third of the scores. The exit code is 1
if an answer does not fit, or if the highest third is not more accurate than the lowest.
"""

import sys
import tempfile
import time
from pathlib import Path

from annotune.deadline import Deadline
from annotune.errors import AnswerRefused
from annotune.labeling.config import Labeling
from annotune.models import ModelRef
from annotune.options import Options
from annotune.prompt import Prompt
from annotune.question import Question
from annotune.servers.ollama import OllamaClient
from embedded.base_model import BASE_MODEL, add_base_model
from embedded.feedback import CONFIG, PROMPT, feedback
from embedded.ollama import OllamaServer

TASKS = 200
SEED = 7
TEMPLATE = "{prompt}\n\n{text}"


def main() -> int:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else SEED
    labeling = Labeling.parse(CONFIG)
    options = Options(temperature=0, num_ctx=2048, max_tokens=32)
    ref = ModelRef(server="ollama", model=BASE_MODEL)
    scored: list[tuple[float, bool]] = []
    refused = 0
    with tempfile.TemporaryDirectory() as scratch, OllamaServer(Path(scratch), threads=2) as server:
        client = OllamaClient(server.url)
        add_base_model(client)
        began = time.monotonic()
        for item in feedback(TASKS, seed):
            question = Question(labeling, Prompt(PROMPT, TEMPLATE), {"text": item.text})
            try:
                reply = question.ask(client, ref, options, Deadline.after(60), urgent=False, calls=1)
            except AnswerRefused as error:
                print(error)
                refused += 1
                continue
            is_correct = reply.regions[0]["value"]["choices"] == [item.label]
            scored.append((-1.0 if reply.score is None else reply.score, is_correct))
        seconds = time.monotonic() - began
        client.close()
    scored.sort()
    thirds = [scored[len(scored) * part // 3 : len(scored) * (part + 1) // 3] for part in range(3)]
    accuracy = [sum(is_correct for _, is_correct in third) / len(third) for third in thirds]
    print(f"{len(scored)} of {TASKS} answers fit the labeling config, {seconds:.0f} s, seed {seed}")
    print(f"without a score: {sum(score < 0 for score, _ in scored)}")
    print(f"accuracy: {sum(is_correct for _, is_correct in scored) / len(scored):.0%}")
    for name, third, share in zip(("lowest", "middle", "highest"), thirds, accuracy, strict=True):
        print(f"{name:8} third of scores {third[0][0]:.3f} to {third[-1][0]:.3f}: {share:.0%} correct")
    return int(refused > 0 or accuracy[0] >= accuracy[2])


if __name__ == "__main__":
    sys.exit(main())
