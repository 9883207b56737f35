"""The subprocess engine, on scripts of a few lines that behave well and badly."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from annotune.errors import ConfigurationError, TrainingCancelled, TrainingFailed
from annotune.settings import Settings
from trainer.engine import PREPARE, SubprocessEngine
from trainer.events import Entered, Event, Prepared, Stepped

JOB = {"recipe": {"device": "cpu"}, "word": "hub/name"}
SAY = "import json, sys, os, signal, subprocess\ndef say(**line): print(json.dumps(line), flush=True)\n"
DONE = 'say(event="done", base="x")\n'
HANG = "signal.pause()\n"
NEEDED = {
    "PATH",
    "HOME",
    "HF_HOME",
    "HF_TOKEN",
    "HTTPS_PROXY",
    "SSL_CERT_FILE",
    "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
}


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Prepared]:
    """Runs a script's text as the step `prepare`."""

    def run(
        text: str,
        on_event: Callable[[Event], None] = lambda _: None,
        cancelled: Callable[[], bool] = lambda: False,
        silence_s: float = 60,
    ) -> Prepared:
        (tmp_path / "prepare.py").write_text(SAY + text)
        engine = SubprocessEngine(sys.executable, scripts=tmp_path)
        return engine.run(replace(PREPARE, silence_s=silence_s), JOB, tmp_path, on_event=on_event, cancelled=cancelled)

    return run


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_script_gets_its_job_and_its_lines_are_told_as_events(run: Callable[..., Prepared]) -> None:
    events: list[Event] = []
    text = (
        "job = json.load(open(sys.argv[sys.argv.index('--job') + 1]))\n"
        "say(event='loading')\n"
        "say(event='step', step=1, steps=2, loss=0.5, left_s=None)\n"
        "say(event='done', base=job['word'], more='is left out')\n"
    )

    done = run(text, events.append)

    assert done == Prepared(base="hub/name")
    assert events == [
        Entered(event="loading"),
        Stepped(event="step", step=1, steps=2, loss=0.5, left_s=None),
    ]


def test_what_a_script_prints_on_stderr_goes_to_the_runs_log(run: Callable[..., Prepared], tmp_path: Path) -> None:
    run("print('a library says', file=sys.stderr)\n" + DONE)

    assert "a library says" in (tmp_path / "prepare.log").read_text()


def test_a_script_is_given_what_trains_needs_and_no_key_of_ours(
    run: Callable[..., Prepared], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = {name.upper() for name in Settings.model_fields}
    for name in ours | NEEDED:
        monkeypatch.setenv(name, "1")

    given = set(run("say(event='done', base=' '.join(os.environ))\n").base.split())

    assert given & ours == set()
    assert given >= NEEDED


def test_on_a_cpu_a_script_is_nice_and_leads_a_session(run: Callable[..., Prepared]) -> None:
    text = "say(event='done', base=f'{os.getpriority(os.PRIO_PROCESS, 0)} {os.getsid(0) == os.getpid()}')\n"
    nice = min(19, os.getpriority(os.PRIO_PROCESS, 0) + 15)

    assert run(text).base == f"{nice} True"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("say(event='error', message='The base is not there.')\nsys.exit(1)\n", "prepare: The base is not there."),
        ("sys.exit(3)\n", "ended with exit code 3"),
        ("os.kill(os.getpid(), signal.SIGKILL)\n", "killed by signal 9"),
        ("print('Downloading...', flush=True)\n" + HANG, "a line that is no event"),
        ("say(event='done')\n", "a line that is no event"),
        ("say(event='step', step='two')\n" + HANG, "a line that is no event"),
    ],
)
def test_a_script_that_does_not_end_well_is_a_failure_with_a_reason(
    run: Callable[..., Prepared], text: str, told: str
) -> None:
    with pytest.raises(TrainingFailed, match=told):
        run(text)


def test_a_script_that_says_nothing_for_too_long_is_ended(run: Callable[..., Prepared]) -> None:
    with pytest.raises(TrainingFailed, match="said nothing for 1 s"):
        run(HANG, silence_s=1)


def test_cancelling_ends_the_script_and_all_that_it_started(
    run: Callable[..., Prepared], tmp_path: Path, eventually: Callable[..., object]
) -> None:
    pids = tmp_path / "pids"
    text = (
        "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
        f"open({str(pids)!r} + '.new', 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        f"os.rename({str(pids)!r} + '.new', {str(pids)!r})\n"
    )

    with pytest.raises(TrainingCancelled):
        run(text + HANG, cancelled=pids.exists)

    for pid in map(int, pids.read_text().split()):
        eventually(lambda pid=pid: not is_running(pid))


def test_a_script_dies_with_the_process_that_started_it(tmp_path: Path, eventually: Callable[..., object]) -> None:
    pid = tmp_path / "pid"
    (tmp_path / "prepare.py").write_text(
        SAY + f"open({str(pid)!r} + '.new', 'w').write(str(os.getpid()))\n"
        f"os.rename({str(pid)!r} + '.new', {str(pid)!r})\n" + HANG
    )
    starter = (
        "import sys, pathlib; from trainer.engine import PREPARE, SubprocessEngine;"
        "here = pathlib.Path(sys.argv[1]);"
        "SubprocessEngine(sys.executable, scripts=here).run(PREPARE, {'recipe': {'device': 'cpu'}}, here,"
        " on_event=print, cancelled=lambda: False)"
    )
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen([sys.executable, "-c", starter, str(tmp_path)], cwd=root) as process:
        eventually(pid.exists, deadline_s=60)
        script = int(pid.read_text())
        assert is_running(script)
        process.send_signal(signal.SIGKILL)

    eventually(lambda: not is_running(script))


def test_many_lines_at_once_are_told_one_by_one(run: Callable[..., Prepared]) -> None:
    events: list[Event] = []
    text = "print('\\n'.join([json.dumps({'event': 'loading'})] * 5000))\n" + DONE

    run(text, events.append)

    assert len(events) == 5000


def test_a_missing_interpreter_names_its_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="TRAINER_PYTHON"):
        SubprocessEngine(tmp_path / "python").check()
