"""What a job in a queue may say."""

import json
import pickle
import zlib
from typing import Any

import pytest

from annotune.errors import JobRefused
from annotune.store.job_spec import CHANGED_JOB, MAX_BYTES, TRAIN_JOB, JobSpec

OURS = [CHANGED_JOB, None, [4], {}]
NOT_OURS: dict[str, Any] = {
    "another function": ["os.system", None, ["true"], {}],
    "a function of ours that is no job": ["trainer.jobs.open_workshop", None, [4], {}],
    "a name that is none": [None, None, [4], {}],
    "an instance": [CHANGED_JOB, "x", [4], {}],
    "a text": [CHANGED_JOB, None, ["4"], {}],
    "a truth": [CHANGED_JOB, None, [True], {}],
    "a fraction": [CHANGED_JOB, None, [4.0], {}],
    "a negative number": [CHANGED_JOB, None, [-4], {}],
    "a number beyond all ids": [CHANGED_JOB, None, [2**63], {}],
    "nothing": [CHANGED_JOB, None, [], {}],
    "two": [CHANGED_JOB, None, [4, 5], {}],
    "a dict": [CHANGED_JOB, None, {"project": 4}, {}],
    "keywords": [CHANGED_JOB, None, [4], {"see": "os.system"}],
    "keywords alone": [CHANGED_JOB, None, [], {"project": 4}],
    "three": [CHANGED_JOB, None, [4]],
    "no list": 4,
    "a function that is a list": [[CHANGED_JOB], None, [4], {}],
}
MORE = [
    *("success_callback_name", "failure_callback_name", "stopped_callback_name", "webhooks", "dependency_id"),
    *("dependency_ids", "retries_left", "number_of_retries", "retry_intervals", "repeats_left", "repeat_intervals"),
    *("group_id", "rate_limit_key", "meta", "allow_dependency_failures", "enqueue_at_front", "what_rq_4_may_add"),
]


@pytest.mark.parametrize("job", [CHANGED_JOB, TRAIN_JOB])
@pytest.mark.parametrize("squeeze", [zlib.compress, bytes], ids=["compressed", "plain"])
def test_a_job_of_ours_is_read(job: str, squeeze: Any) -> None:
    data = squeeze(json.dumps([job, None, [4], {}]).encode())

    assert JobSpec.read({"data": data, "status": b"queued", "success_callback_name": b""}) == JobSpec(job, 4)


@pytest.mark.parametrize("name", NOT_OURS)
def test_anything_else_is_refused(name: str) -> None:
    with pytest.raises(JobRefused):
        JobSpec.read({"data": json.dumps(NOT_OURS[name]).encode()})


@pytest.mark.parametrize("name", MORE)
def test_a_job_that_says_more_is_refused(name: str) -> None:
    with pytest.raises(JobRefused, match=name):
        JobSpec.read({"data": json.dumps(OURS).encode(), name: b"1"})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        pickle.dumps(tuple(OURS)),
        zlib.compress(pickle.dumps(tuple(OURS))),
        zlib.compress(b"[" * 10_000_000),
        b"[" * MAX_BYTES,
        b"\xff\xfe",
    ],
    ids=["empty", "pickle", "compressed pickle", "bomb", "deep", "no text"],
)
def test_what_is_no_short_json_is_refused(data: bytes) -> None:
    with pytest.raises(JobRefused):
        JobSpec.read({"data": data})


def test_nothing_of_a_job_is_quoted() -> None:
    with pytest.raises(JobRefused) as refused:
        JobSpec.read({"data": json.dumps(["os.system", None, ["sk-made-up"], {}]).encode()})

    assert "sk-made-up" not in str(refused.value)
