"""Rows of large sources: `make bench-sources`, or `make bench-sources ARGS="--rows 100000 --tasks 1000"`.

A zip like MeDAL's `full` is made and streamed over HTTP from a stand-in of the Hub. A process of its own counts its rows
and tells the most memory that it took. Rows are then imported into a real Label Studio (SQLite), and once more.
The exit code is 1 if a row is missing or doubled, or memory is over its limit.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from annotune.settings import Settings
from curation.api import Annotune
from curation.templates import find_template
from embedded.label_studio import LabelStudio
from embedded.redis import RedisServer

ROOT = Path(__file__).resolve().parent.parent
ROWS = 14_400_000
TASKS = 10_000
LIMIT_MB = 400
KILOBYTE = 1024


def main() -> int:
    """Measure, and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the zip")
    parser.add_argument("--tasks", type=int, default=TASKS, help="rows imported into Label Studio; 0: none")
    parser.add_argument("--count", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.count:
        count()
        return 0
    with tempfile.TemporaryDirectory() as name:
        fine = stream(Path(name), wanted.rows)
        return 0 if (not wanted.tasks or load(Path(name), wanted.tasks)) and fine else 1


def stream(folder: Path, rows: int) -> bool:
    """Count the rows of a zip in a process of its own. The stand-in runs here, so that its memory does not count."""
    sys.path.insert(0, str(ROOT / "tests"))
    from hub_double import HubDouble, HubRepository  # noqa: PLC0415 - a stand-in of the tests
    from medal_zip import FULL_HEADER, full_rows, write_whole_zip  # noqa: PLC0415 - as above

    path = folder / "full_data.zip"
    write_whole_zip(path, "full_data.csv", FULL_HEADER, full_rows(rows))
    with HubDouble({"McGill-NLP/medal": HubRepository({path.name: path})}) as hub:
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.sources", "--count"],
            cwd=ROOT,
            env=os.environ | hub.environment(folder / "hub"),
            check=True,
            capture_output=True,
            text=True,
        )
        seconds = time.monotonic() - began
    told = json.loads(done.stdout)
    print(
        f"medal full: {told['rows']:,} rows in {seconds:.0f} s ({told['rows'] / seconds:,.0f} a second),"
        f" {told['early_mb']:.0f} MB after 100,000 rows, {told['peak_mb']:.0f} MB at most"
    )
    return told["rows"] == rows and told["peak_mb"] < LIMIT_MB


def count() -> None:
    """Count the rows of `medal`, and print them and the peak memory as JSON."""
    from curation.sources.source import open_source  # noqa: PLC0415 - in the process that is measured alone

    number, early = 0, 0.0
    for number, row in enumerate(open_source("medal", "full").rows(), 1):
        assert not row.bad, row
        early = peak_mb() if number == 100_000 else early
    print(json.dumps({"rows": number, "early_mb": early, "peak_mb": peak_mb()}))


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KILOBYTE


def load(folder: Path, tasks: int) -> bool:
    """Import rows into a real Label Studio, and again."""
    path = folder / "rows.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(tasks):
            answer = f"Take {number} mg with a meal. " * 20
            file.write(json.dumps({"question": f"How much of drug {number} is safe?", "answer": answer}) + "\n")
    for name in ("label-studio", "redis"):
        (folder / name).mkdir()
    with LabelStudio(folder / "label-studio") as server, RedisServer(folder / "redis") as redis:
        environment = {"label_studio_url": server.url, "label_studio_api_key": server.api_key, "redis_url": redis.url}
        with Annotune(Settings.model_validate(environment)) as annotune:
            project = annotune.context.label_studio.projects.create("Rows", find_template("medchat").config)
            counts, seconds = [], []
            for _ in range(2):
                began = time.monotonic()
                counts.append(annotune.import_rows(project, str(path)))
                seconds.append(time.monotonic() - began)
    print(
        f"import: {counts[0].imported:,} rows in {seconds[0]:.1f} s; again: {counts[1].imported} in {seconds[1]:.1f} s"
    )
    return (counts[0].imported, counts[1].imported, counts[1].present) == (tasks, 0, tasks)


if __name__ == "__main__":
    sys.exit(main())
