"""A real small model classifies by structured output: every answer fits, and scores tell answers apart."""

import pytest
from services import ServedModel

from annotune.deadline import Deadline
from annotune.labeling.config import Labeling
from annotune.labeling.prediction import Prediction
from annotune.models import ModelRef
from annotune.options import Options
from annotune.prompt import Prompt
from annotune.question import Question
from annotune.servers.ollama import OllamaClient
from embedded.feedback import CONFIG, PROMPT, feedback

REVIEW = """<View><Text name="text" value="$text"/><TextArea name="summary" toName="text"/>
<Choices name="feeling" toName="text"><Choice value="Negative"/><Choice value="Positive"/></Choices>
<Rating name="stars" toName="text"/></View>"""


@pytest.mark.parametrize(("config", "tasks"), [(CONFIG, 20), (REVIEW, 4)], ids=["choices", "text, choices and rating"])
def test_every_answer_fits_the_config_and_has_a_score(model_server: ServedModel, config: str, tasks: int) -> None:
    labeling = Labeling.parse(config)
    ref, options = ModelRef(server="ollama", model=model_server.model), Options(0, num_ctx=2048, max_tokens=128)
    client = OllamaClient(model_server.url)
    scores = set()
    for one in feedback(tasks, seed=3):
        question = Question(labeling, Prompt(PROMPT, "{prompt}\n\n{text}"), {"text": one.text})
        reply = question.ask(client, ref, options, Deadline.after(120), urgent=False, calls=1)
        assert labeling.check(Prediction(reply.regions, "base", reply.score))
        assert len(reply.regions) == len(labeling.controls)
        scores.add(reply.score)
    client.close()

    assert None not in scores
    assert len(scores) > 1
