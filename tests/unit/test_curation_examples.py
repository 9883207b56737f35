"""Examples from annotations: what is certain counts, what is not is left out and counted."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from annotune.answer import Answer
from annotune.chat import Message
from annotune.label_studio.rows import AnnotationRow, PredictionRow, TaskRow
from annotune.labeling.config import Labeling
from annotune.prompt import Prompt
from annotune.settings import Settings
from annotune.split import MIN_HELD_OUT, SplitAssignment, assign_splits, text_sha
from curation.annotation import ExampleMaker
from curation.examples import PAGE_TASKS, AnswersOf, ExampleSet, collect_examples, task_outcomes
from curation.policy import Policy
from trainer.prompts import newest_prompt

CONFIG = """<View><Text name="chat" value="$question"/>
<TextArea name="prompt" toName="chat"/><TextArea name="response" toName="chat" editable="true" smart="false"/></View>"""
WITHOUT_PROMPT = '<View><Text name="chat" value="$question"/><TextArea name="response" toName="chat"/></View>'
START = datetime(2026, 11, 23, 12, tzinfo=UTC)
QUESTION = "What is the usual dose?"
CONTENT = "f229734171e6"


def divided(texts: Sequence[str], groups: Sequence[str] = ()) -> SplitAssignment:
    return assign_splits({}, texts, min_train=1, has_trained=False, groups=groups)


def collected(
    tasks: Sequence[TaskRow], config: str = CONFIG, settings: Settings | None = None, log: Sequence[Answer] = ()
) -> ExampleSet:
    maker = ExampleMaker(1, Labeling.parse(config), settings or Settings())
    return collect_examples(tasks, maker, answers_for=lambda _: lambda _: log, split=divided)


def region(control: str, *texts: str) -> dict[str, Any]:
    return {"from_name": control, "to_name": "chat", "type": "textarea", "value": {"text": list(texts)}}


def annotation(
    number: int, *result: dict[str, Any], minute: int = 10, skipped: bool = False, prediction: int | None = None
) -> AnnotationRow:
    at = START + timedelta(minutes=minute)
    return AnnotationRow(
        id=number,
        result=result,
        was_cancelled=skipped,
        created_at=at,
        updated_at=at,
        completed_by=7,
        parent_prediction=prediction,
    )


def prediction(number: int, *result: dict[str, Any], version: str = "m@1") -> PredictionRow:
    return PredictionRow(id=number, result=result, model_version=version, created_at=START)


def answer(text: str, prompt: str = "Answer.", *, minute: int = 5, version: str = "m@1") -> Answer:
    return Answer(
        project=1,
        task=1,
        prompt=prompt,
        prompt_sha=Prompt(prompt).sha,
        text=text,
        model_version=version,
        at=START + timedelta(minutes=minute),
    )


def example_set(
    annotations: Sequence[AnnotationRow],
    *,
    predictions: Sequence[PredictionRow] = (),
    log: Sequence[Answer] = (),
    data: dict[str, Any] | None = None,
    config: str = CONFIG,
    settings: Settings | None = None,
) -> ExampleSet:
    task = TaskRow(
        id=1,
        data={"question": QUESTION} if data is None else data,
        annotations=tuple(annotations),
        predictions=tuple(predictions),
    )
    return collected([task], config, settings, log)


PROMPT, RESPONSE = region("prompt", "Answer."), region("response", "40 mg")


@dataclass(frozen=True)
class Case:
    annotations: tuple[AnnotationRow, ...]
    left_out: dict[str, int]
    used: set[int] = field(default_factory=set)
    predictions: tuple[PredictionRow, ...] = ()
    log: tuple[Answer, ...] = ()
    data: dict[str, Any] | None = None


CASES = {
    "one with its own prompt counts": Case((annotation(1, PROMPT, RESPONSE),), {}, {1}),
    "a skipped one is left out": Case((annotation(1, PROMPT, RESPONSE, skipped=True),), {"skipped": 1}),
    "one without an answer is left out": Case((annotation(1, PROMPT),), {"empty": 1}),
    "one with a blank answer is left out": Case((annotation(1, PROMPT, region("response", " ")),), {"empty": 1}),
    "the latest of a task counts": Case(
        (annotation(1, PROMPT, RESPONSE, minute=20), annotation(2, PROMPT, RESPONSE, minute=10)), {"older": 1}, {1}
    ),
    "a later skip takes nothing back": Case(
        (annotation(1, PROMPT, RESPONSE), annotation(2, minute=20, skipped=True)), {"skipped": 1}, {1}
    ),
    "two texts in one region are uncertain": Case(
        (annotation(1, PROMPT, region("response", "40 mg", "50 mg")),), {"uncertain": 1}
    ),
    "two regions are uncertain": Case(
        (annotation(1, PROMPT, RESPONSE, region("response", "50 mg")),), {"uncertain": 1}
    ),
    "an uncertain latest one does not cost an older one": Case(
        (annotation(1, PROMPT, RESPONSE), annotation(2, PROMPT, RESPONSE, RESPONSE, minute=20)), {"uncertain": 1}, {1}
    ),
    "a task without the labelled field is left out": Case(
        (annotation(1, PROMPT, RESPONSE),), {"no field": 1}, data={"title": "x"}
    ),
    "one whose prompt nobody knows is left out": Case((annotation(1, RESPONSE),), {"no prompt": 1}),
    "the prompt of its prediction serves": Case(
        (annotation(1, RESPONSE, prediction=4),), {}, {1}, predictions=(prediction(4, PROMPT, RESPONSE),)
    ),
    "another prediction's prompt does not serve": Case(
        (annotation(1, RESPONSE, prediction=4),), {"no prompt": 1}, predictions=(prediction(5, PROMPT, RESPONSE),)
    ),
    "the log knows the prompt of a prediction that lacks it": Case(
        (annotation(1, RESPONSE, prediction=4),),
        {},
        {1},
        predictions=(prediction(4, region("response", "30 mg")),),
        log=(answer("30 mg"), answer("20 mg", "Something else.")),
    ),
    "two prompts that gave the same prediction leave it unknown": Case(
        (annotation(1, RESPONSE, prediction=4),),
        {"no prompt": 1},
        predictions=(prediction(4, region("response", "30 mg")),),
        log=(answer("30 mg"), answer("30 mg", "Something else.")),
    ),
    "the log serves where no prediction is named": Case((annotation(1, RESPONSE),), {}, {1}, log=(answer("30 mg"),)),
    "an answer of the same text serves, whatever its clock": Case(
        (annotation(1, RESPONSE),), {}, {1}, log=(answer("40 mg", minute=30),)
    ),
    "of several the one before decides": Case(
        (annotation(1, RESPONSE),), {}, {1}, log=(answer("40 mg"), answer("40 mg", "Another.", minute=30))
    ),
    "an answer of the prediction's text serves, whatever its clock": Case(
        (annotation(1, RESPONSE, prediction=4),),
        {},
        {1},
        predictions=(prediction(4, region("response", "30 mg")),),
        log=(answer("30 mg", minute=30),),
    ),
    "an answer given after the annotation says nothing": Case(
        (annotation(1, RESPONSE),), {"no prompt": 1}, log=(answer("30 mg", minute=30),)
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_is_certain_counts_and_the_rest_is_counted(case: Case) -> None:
    found = example_set(case.annotations, predictions=case.predictions, log=case.log, data=case.data)

    assert (found.annotations, found.left_out) == (case.used, case.left_out)


KINDS = {
    "typed, where no answer was given": ((), (), "typed", None),
    "accepted, where it equals one that was given": ((answer("40 mg\n"), answer("30 mg")), (), "accepted", None),
    "corrected, with the last that was given": ((answer("20 mg"), answer("30 mg")), (), "corrected", "30 mg"),
    "accepted, though the backend's clock is ahead": ((answer("40 mg", minute=11),), (), "accepted", None),
    "not by answers given later": ((answer("30 mg", minute=30),), (), "typed", None),
    "accepted, where it equals the prediction": (
        (),
        (prediction(4, PROMPT, region("response", "40 mg ")),),
        "accepted",
        None,
    ),
    "corrected, where it differs from the prediction": (
        (),
        (prediction(4, PROMPT, region("response", "30 mg")),),
        "corrected",
        "30 mg",
    ),
}


@pytest.mark.parametrize(("log", "predictions", "kind", "said"), KINDS.values(), ids=KINDS.keys())
def test_an_example_tells_who_wrote_it(
    log: tuple[Answer, ...], predictions: tuple[PredictionRow, ...], kind: str, said: str | None
) -> None:
    [example] = example_set([annotation(1, PROMPT, RESPONSE, prediction=4)], predictions=predictions, log=log).examples

    assert (example.origin.kind, example.origin.said) == (kind, said)


def drafted(
    *log: Answer, stored: PredictionRow | None = None, place: str = ""
) -> tuple[str, str | None, int | None, str | None]:
    """What an annotation with "40 mg", made from prediction 4, is told to be. `place` is the id of its prompt's region."""
    own = annotation(1, PROMPT | {"id": place}, RESPONSE, prediction=4)
    [example] = example_set([own], predictions=[stored] if stored else [], log=log).examples
    origin = example.origin
    return origin.kind, origin.said, origin.edit_distance, origin.drafted_by


def test_only_what_was_said_to_the_same_prompt_is_a_draft() -> None:
    other = answer("50 mg", "In other words.", minute=6)

    assert drafted(other) == ("typed", None, None, None)
    assert drafted(answer("30 mg", version="m@2"), other) == ("corrected", "30 mg", 1, "m@2")
    assert drafted(answer("30 mg", " Answer.\n")) == ("corrected", "30 mg", 1, "m@1")


def test_the_prediction_that_an_annotation_was_made_from_goes_before_what_others_were_told() -> None:
    stored = prediction(4, PROMPT, region("response", "30 mg daily"), version="m@2")

    assert drafted(answer("44 mg"), stored=stored) == ("corrected", "30 mg daily", 7, "m@2")
    assert drafted(answer("40 mg"), stored=stored) == ("accepted", None, 0, "m@1")
    assert drafted(stored=prediction(4, region("prompt", "Another."), region("response", "30 mg")))[0] == "typed"


def test_what_was_asked_for_in_the_annotation_itself_goes_first() -> None:
    stored = prediction(4, PROMPT, region("response", "30 mg daily"), version="m@2")
    here = answer("44 mg", version="m@3").model_copy(update={"place": "abc", "typed": True})

    assert drafted(here, answer("41 mg", minute=6), stored=stored, place="abc") == ("corrected", "44 mg", 1, "m@3")


def test_an_example_tells_what_its_task_was_made_from() -> None:
    data = {"question": QUESTION, "source_text": "A text.", "abstract_id": 12}
    data |= {"source_project": 2, "source_task": 30, "source_annotation": 31}
    [example] = example_set([annotation(1, PROMPT, RESPONSE)], data=data).examples

    origin = example.origin
    assert (example.question, example.abstract_id) == (QUESTION, "12")
    assert (origin.source_project, origin.source_task, origin.source_annotation) == (2, 30, 31)


def test_the_content_of_an_annotation_is_what_it_was_in_earlier_versions() -> None:
    """Else all annotations would look corrected, and every project would train again."""
    [example] = example_set([annotation(1, PROMPT, RESPONSE)]).examples

    assert example.origin.content == CONTENT


def test_the_answers_are_read_in_pages() -> None:
    tasks = [
        TaskRow(id=number, data={"question": f"{number}?"}, annotations=(annotation(number, PROMPT, RESPONSE),))
        for number in range(PAGE_TASKS + 3)
    ]
    asked: list[int] = []

    def answers_for(page: Sequence[int]) -> AnswersOf:
        asked.append(len(page))
        return lambda _: ()

    maker = ExampleMaker(1, Labeling.parse(CONFIG), Settings())
    outcomes = task_outcomes(iter(tasks), maker, Policy(), answers_for)
    assert next(outcomes).task == 0
    assert asked == [PAGE_TASKS]
    assert sum(1 for _ in outcomes) == PAGE_TASKS + 2
    assert asked == [PAGE_TASKS, 3]


def test_questions_about_one_source_text_are_on_one_side() -> None:
    tasks = [
        TaskRow(
            id=number,
            data={"question": f"Question {number}?", "source_text": f"Text {number % 6}."},
            annotations=(annotation(number, PROMPT, RESPONSE),),
        )
        for number in range(24)
    ]
    found = collected(tasks)

    held_out = {example.origin.task % 6 for example in found.held_out}
    assert len(found.held_out) == 4 * len(held_out) >= MIN_HELD_OUT
    assert {example.origin.task % 6 for example in found.train} == set(range(6)) - held_out


def test_what_is_left_out_is_named_by_its_reason() -> None:
    wrong = {"from_name": "reference_faults", "type": "choices", "value": {"choices": ["Wrong"]}}
    found = example_set([annotation(7, PROMPT, RESPONSE, wrong), annotation(8, minute=20, skipped=True)])

    assert found.left_out_ids == {"skipped": (8,), "wrong reference": (7,)}
    assert found.wrong_references == {text_sha(QUESTION)}


def untouched(control: str, *texts: str) -> dict[str, Any]:
    return region(control, *texts) | {"origin": "prediction"}


EARLIER = answer("40 mg", "An earlier one 💊.")
UNANSWERED = {
    "left as it was": (RESPONSE, [EARLIER], ()),
    "left as it was, and marked so": (untouched("response", "40 mg"), [EARLIER], ()),
    "a prediction's": (RESPONSE, [], [prediction(4, region("prompt", "An earlier one."), RESPONSE)]),
}


@pytest.mark.parametrize(("response", "log", "predictions"), UNANSWERED.values(), ids=UNANSWERED.keys())
def test_an_answer_to_another_prompt_is_left_out_where_its_own_was_never_answered(
    response: dict[str, Any], log: list[Answer], predictions: list[PredictionRow]
) -> None:
    found = example_set([annotation(1, PROMPT, response)], log=log, predictions=predictions)

    assert (found.examples, found.left_out) == ((), {"other prompt": 1})


ANSWERED = {
    "the person's own words": (region("response", "50 mg"), [EARLIER]),
    "the prompt was answered too": (RESPONSE, [EARLIER, answer("30 mg")]),
    "answered with a space added": (untouched("response", "40 mg"), [EARLIER, answer("30 mg", "Answer. ")]),
    "an answer is known to be missing": (RESPONSE, [EARLIER, EARLIER.model_copy(update={"lost": True})]),
    "nothing is known": (untouched("response", "40 mg"), []),
}


@pytest.mark.parametrize(("response", "log"), ANSWERED.values(), ids=ANSWERED.keys())
def test_what_may_be_an_answer_to_its_prompt_is_learnt(response: dict[str, Any], log: list[Answer]) -> None:
    assert len(example_set([annotation(1, PROMPT, response)], log=log).examples) == 1


def test_a_choice_of_an_earlier_answer_is_left_out_beside_a_persons_text() -> None:
    """What of several controls nobody touched is told by Label Studio's own mark."""
    config = CONFIG.replace("</View>", '<Rating name="stars" toName="chat" smart="false"/></View>')
    given = answer('{"response": "40 mg", "stars": 4}', "An earlier one.")
    stars = {"from_name": "stars", "to_name": "chat", "type": "rating", "value": {"rating": 4}, "origin": "prediction"}
    mine = region("response", "mine")

    found = example_set([annotation(1, PROMPT, mine, stars)], log=[given], config=config)
    assert found.left_out == {"other prompt": 1}
    own = example_set([annotation(1, PROMPT, mine, stars | {"origin": "manual"})], log=[given], config=config)
    assert len(own.examples) == 1


def test_the_messages_are_those_that_the_backend_would_send() -> None:
    settings = Settings(prompt_template="{prompt}\n---\n{text}", system_prompt="Be brief.")
    data = {"question": QUESTION, "drug": "{prompt}"}
    written = region("prompt", "Answer on {drug}.")

    [example] = example_set([annotation(1, written, RESPONSE)], data=data, settings=settings).examples

    asked = Prompt("Answer on {drug}.", settings.template, "Be brief.")
    assert example.messages == (
        Message("system", "Be brief."),
        Message("user", f"Answer on {{prompt}}.\n---\n{QUESTION}"),
    )
    assert example.origin.prompt_sha == asked.sha
    assert (example.answer, example.origin.annotator) == ("40 mg", 7)


def labelled(texts: Sequence[str]) -> ExampleSet:
    tasks = [
        TaskRow(id=number, data={"question": text}, annotations=(annotation(number, PROMPT, RESPONSE),))
        for number, text in enumerate(texts)
    ]
    return collected(tasks)


def test_the_labelled_text_decides_the_side() -> None:
    questions = [f"Frage {number} 💊?" for number in range(12)]

    found = labelled([*questions, *(f" {text.upper()}\n" for text in questions)])

    lowest = sorted(range(12), key=lambda number: text_sha(questions[number]))[:MIN_HELD_OUT]
    assert {example.origin.task for example in found.held_out} == {*lowest, *(number + 12 for number in lowest)}
    assert len(found.train) == 2 * 7
    assert found.lacks == ""


def test_what_has_no_side_yet_is_none_that_is_held_out() -> None:
    found = labelled(["a", "b", "c"])

    assert (len(found.train), found.held_out) == (3, ())
    assert found.lacks == "it takes 6 usable annotations (MIN_EXAMPLES + 5), and there are 3: submit 3 more"


def test_without_a_prompt_control_the_log_tells_the_prompt() -> None:
    said = prediction(4, region("response", "30 mg"))

    [example] = example_set(
        [annotation(1, RESPONSE, prediction=4)], predictions=[said], log=[answer("30 mg")], config=WITHOUT_PROMPT
    ).examples

    assert example.messages[0].content.startswith("Answer.")


def prompt_of(
    *annotations: AnnotationRow, predictions: Sequence[PredictionRow] = (), log: Sequence[Answer] = ()
) -> str | None:
    task = TaskRow(id=1, data={}, annotations=annotations, predictions=tuple(predictions))
    found = newest_prompt([task], Labeling.parse(CONFIG), lambda _: log, frozenset())
    return found.text if found else None


def test_the_newest_submitted_prompt_is_the_projects() -> None:
    older = annotation(1, region("prompt", "Old."), RESPONSE, minute=10)
    newer = annotation(2, region("prompt", "New."), RESPONSE, minute=20)

    assert prompt_of(newer, older) == "New."


def test_a_skipped_or_blank_prompt_sets_nothing() -> None:
    skipped = annotation(1, region("prompt", "Skipped."), RESPONSE, minute=20, skipped=True)
    blank = annotation(2, region("prompt", "  "), RESPONSE, minute=10)

    assert prompt_of(skipped, blank) is None


@pytest.mark.parametrize("stored", [(PROMPT, RESPONSE), (RESPONSE,)], ids=["in its region", "in the log"])
def test_the_prompt_that_a_prediction_came_with_sets_nothing(stored: tuple[dict[str, Any], ...]) -> None:
    kept = annotation(1, PROMPT, RESPONSE, prediction=4)

    assert prompt_of(kept, predictions=[prediction(4, *stored)], log=[answer("40 mg")]) is None


def test_another_prompt_than_the_predictions_is_the_projects() -> None:
    changed = annotation(1, region("prompt", "New."), RESPONSE, prediction=4)

    assert prompt_of(changed, predictions=[prediction(4, PROMPT, RESPONSE)]) == "New."


REVIEW = """<View><Text name="chat" value="$question"/><TextArea name="prompt" toName="chat"/>
<TextArea name="response" toName="chat"/><TextArea name="llm_status" toName="chat"/>
<Choices name="verdict" toName="chat"><Choice value="Good" alias="g"/><Choice value="Bad" alias="b"/></Choices>
<Choices name="tags" toName="chat" choice="multiple"><Choice value="Dose"/><Choice value="Use"/></Choices></View>"""


def verdict(value: str) -> dict[str, Any]:
    return {"from_name": "verdict", "to_name": "chat", "type": "choices", "value": {"choices": [value]}}


def given(text: str, **more: Any) -> Answer:
    told = {"project": 1, "task": 1, "prompt": "Answer.", "prompt_sha": "x", "model_version": "m", "at": START}
    return Answer(**(told | {"text": text} | more))


def test_a_structured_annotation_teaches_the_json_that_was_asked_for() -> None:
    status = region("llm_status", "Ollama is not reachable")
    said = '{"response": "40 mg", "verdict": "Bad", "tags": []}'
    found = example_set([annotation(1, PROMPT, RESPONSE, verdict("g"), status)], config=REVIEW, log=[given(said)])
    (example,) = found.examples

    assert example.answer == '{"response": "40 mg", "verdict": "Good", "tags": []}'
    assert (example.origin.kind, example.origin.said) == ("corrected", said)
    assert '"verdict": one of "Good", "Bad"' in example.messages[-1].content
    assert "reachable" not in example.model_dump_json()


def test_a_structured_answer_that_was_left_as_it_was_is_accepted() -> None:
    said = '{"response": "40 mg", "verdict": "Good", "tags": []}'
    found = example_set([annotation(1, PROMPT, RESPONSE, verdict("g"))], config=REVIEW, log=[given(said)])

    assert found.kinds == {"accepted": 1}


@pytest.mark.parametrize(
    ("regions", "config", "log", "reason"),
    [
        ((PROMPT, RESPONSE), REVIEW, [], "incomplete"),
        ((PROMPT, RESPONSE, verdict("other")), REVIEW, [], "incomplete"),
        ((PROMPT, RESPONSE), CONFIG, [given("40 mg", cut=True)], "cut"),
        ((PROMPT, RESPONSE), CONFIG, [given("40 mg", cut=True, at=START + timedelta(hours=1))], "cut"),
        ((region("prompt", "{question} {question} {question}" * 200_000), RESPONSE), CONFIG, [], "too long"),
        ((PROMPT, region("response", "half \ud83d of a pair")), CONFIG, [], "unreadable"),
        ((PROMPT, RESPONSE), CONFIG.replace("<Text ", "<Image "), [], "picture"),
    ],
)
def test_what_would_teach_something_wrong_is_left_out(regions: tuple, config: str, log: list, reason: str) -> None:
    assert example_set([annotation(1, *regions)], config=config, log=log).left_out == {reason: 1}


NESTED = """<View><Text name="chat" value="$question"/><TextArea name="prompt" toName="chat"/>
<Choices name="kind" toName="chat" choice="multiple" allowNested="true"><Choice value="Drug"><Choice value="Dose"/>
<Choice value="Use"/></Choice><Choice value="Other"/></Choices>
<Labels name="marks" toName="chat"><Label value="Word"/></Labels></View>"""


def kinds(*paths: list[str]) -> dict[str, Any]:
    return {"from_name": "kind", "to_name": "chat", "type": "choices", "value": {"choices": list(paths)}}


def marked(start: int, text: str) -> dict[str, Any]:
    value = {"start": start, "end": start + len(text), "text": text, "labels": ["Word"]}
    return {"from_name": "marks", "to_name": "chat", "type": "labels", "value": value}


def test_nested_choices_are_learnt_as_their_leaves_and_a_span_that_is_there_twice_once() -> None:
    ticked = kinds(["Drug"], ["Drug", "Dose"], ["Drug", "Use"])
    spans = marked(12, "usual"), marked(18, "dose"), marked(12, "usual")
    (example,) = example_set([annotation(1, PROMPT, ticked, *spans)], config=NESTED).examples

    assert json.loads(example.answer) == {
        "kind": ["Drug > Dose", "Drug > Use"],
        "marks": [{"quote": "usual", "label": "Word"}, {"quote": "dose", "label": "Word"}],
    }


def test_a_whole_branch_where_one_leaf_is_wanted_is_left_out() -> None:
    one = NESTED.replace('choice="multiple"', 'choice="single"')
    ticked = kinds(["Drug"], ["Drug", "Dose"], ["Drug", "Use"])

    assert example_set([annotation(1, PROMPT, ticked)], config=one).left_out == {"incomplete": 1}


@pytest.mark.parametrize(
    "odd",
    [
        kinds(["Drug"]),
        kinds(["Drug", "Renamed"]),
        kinds(["Drug", "Dose"], ["Renamed"]),
        marked(12, "usual") | {"value": {"start": 12, "end": 17, "labels": ["Word"]}},
        marked(12, "usual") | {"value": {"start": 12, "end": 17, "text": "usual", "labels": ["Renamed"]}},
        marked(12, "usual") | {"value": {"start": 12, "end": 17, "text": "usual"}},
    ],
    ids=["a parent alone", "a renamed leaf", "one of two", "a span without words", "a renamed label", "no label"],
)
def test_what_a_person_set_and_nobody_can_read_is_never_learnt_as_nothing(odd: dict[str, Any]) -> None:
    beside = marked(18, "dose"), kinds(["Other"])

    assert example_set([annotation(1, PROMPT, odd, *beside)], config=NESTED).left_out == {"incomplete": 1}


def test_a_span_with_two_labels_is_learnt_with_both() -> None:
    two = marked(12, "usual") | {"value": {"start": 12, "end": 17, "text": "usual", "labels": ["Word", "Term"]}}
    config = NESTED.replace('<Label value="Word"/>', '<Label value="Word"/><Label value="Term"/>')
    (example,) = example_set([annotation(1, PROMPT, kinds(["Other"]), two)], config=config).examples

    assert [span["label"] for span in json.loads(example.answer)["marks"]] == ["Word", "Term"]
