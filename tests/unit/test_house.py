"""The house as docs/design.md describes it: arrows, sizes, the map of modules, the walks."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("backend", "trainer", "curation", "commands", "embedded")
PACKAGES = ("annotune", *ROOMS)
MAY_IMPORT = {
    "annotune": {"annotune"},
    "backend": {"annotune", "curation", "backend"},
    "trainer": {"annotune", "curation", "trainer"},
    "curation": {"annotune", "curation"},
    "commands": {"annotune", "backend", "trainer", "curation", "commands"},
    # The demo starts the product as a person would; `embedded` itself is imported by tests and benchmarks alone.
    "embedded": {"annotune", "embedded"},
}
ALSO = {"embedded/demo.py": {"curation"}}
TRAINS = {"torch", "unsloth", "transformers", "trl", "peft", "bitsandbytes"}
# Each takes a second or a hundred megabytes: only a function that needs one imports it.
HEAVY = {"datasets", "huggingface_hub", "pyarrow", "pandas", "rensa", "krippendorff"}
# Who reads the environment beside settings.py: all of them only pass it on to a program that they start, or set it there.
READS_ENVIRONMENT = {
    "annotune/settings.py": "the one place",
    "embedded/processes.py": "passes it on to the services that it starts",
    "embedded/deployment.py": "passes it on to the backend and the worker that it starts",
    "trainer/environment.py": "passes what trains needs, by name, on to the trainer's scripts",
    "trainer/scripts/convert.py": "passes it on to llama.cpp's programs",
    "trainer/scripts/job_protocol.py": "sets what libraries read at their import, in the training's own process",
    "trainer/scripts/train.py": "sets what Unsloth reads, in the training's own process",
}
# In lines, docstrings not counted.
LONGEST_MODULE = 300
LONGEST_FUNCTION = 50
LONGER_FUNCTIONS = {"backend/app.py create_app": "the table of routes"}
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
STOREYS = {"annotune": 0, "curation": 1, "backend": 2, "trainer": 2, "commands": 3}


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> Iterator[str]:
    """Names of the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield f"{path.parent.name}.{node.module or ''}"
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from imported_by(node)


def imported_by(node: ast.Import | ast.ImportFrom) -> list[str]:
    return [str(node.module)] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]


def docstring_lines(node: ast.AST) -> int:
    if not isinstance(node, ast.Module | ast.ClassDef | FUNCTION) or ast.get_docstring(node, clean=False) is None:
        return 0
    return (node.body[0].end_lineno or 0) - node.body[0].lineno + 1


def lines_of_code(path: Path) -> int:
    """The lines of a module without those of its docstrings."""
    text = path.read_text(encoding="utf-8")
    return len(text.splitlines()) - sum(docstring_lines(node) for node in ast.walk(ast.parse(text)))


def functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """The functions of a module and the methods of its classes, as `function` and `Class.method`."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, FUNCTION):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{inner.name}", inner) for inner in node.body if isinstance(inner, FUNCTION))


def section(title: str) -> str:
    """A part of the page, up to the next title of its level."""
    return DESIGN.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def walk() -> list[tuple[str, str, str, str]]:
    """The hops of the walks: the caller's file and function, the callee's file and function."""
    row = r"^\| `([\w/]+\.py)` `([\w.]+)` \| `([\w/]+\.py)` `([\w.]+)` \| \S.* \|$"
    return re.findall(row, section("Two walks"), re.MULTILINE)


def tops(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


def reads_environment(path: Path) -> bool:
    """Does it name `os.environ`, `os.getenv` or pydantic's `BaseSettings`?"""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    words = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    words |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    return bool(words & {"environ", "getenv", "environb", "BaseSettings"})


def modules() -> list[str]:
    """Every module of the packages, but those that another interpreter runs."""
    found = [path for path in sources(*PACKAGES) if "scripts" not in path.parts]
    return [short(path).removesuffix(".py").replace("/", ".").removesuffix(".__init__") for path in found]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_room_imports_only_what_the_arrows_allow(package: str) -> None:
    wrong = {
        short(path): forbidden
        for path in sources(package)
        if (forbidden := (tops(path) & set(PACKAGES)) - MAY_IMPORT[package] - ALSO.get(short(path), set()))
    }

    assert wrong == {}


def test_only_settings_reads_the_environment() -> None:
    assert {short(path) for path in sources(*PACKAGES) if reads_environment(path)} == set(READS_ENVIRONMENT)


def test_only_the_second_door_imports_label_studio_ml() -> None:
    assert {short(path) for path in sources(*PACKAGES) if "label_studio_ml" in tops(path)} == {"backend/mlbase.py"}


def test_only_the_client_of_label_studio_uses_its_sdk() -> None:
    """But for the parser of labeling configs. The package's connection, which holds the SDK's client, stays inside too."""
    package, parser = ROOT / "annotune" / "label_studio", "label_studio_sdk.label_interface"
    outside = [path for path in sources(*PACKAGES) if package not in path.parents]
    vendor = {short(path): name for path in outside for name in imported(path) if name.startswith("label_studio_sdk")}
    inner = {short(path) for path in outside if "annotune.label_studio.connection" in imported(path)}

    assert {path: name for path, name in vendor.items() if name != parser} == {}
    assert {path.rpartition("/")[0] for path in vendor} == {"annotune/labeling"}
    assert inner == set()


def test_the_backend_does_not_load_the_sdks_client() -> None:
    """It takes 58 MB and a second in each process (label-studio-sdk 2.1.2); the parser of labeling configs goes without."""
    script = "import sys, backend.app, backend.health; sys.exit('label_studio_sdk.base_client' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0


def test_only_functions_import_what_is_heavy() -> None:
    wrong = {
        short(path)
        for path in sources(*PACKAGES)
        if "scripts" not in path.parts
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Import | ast.ImportFrom) and {name.split(".")[0] for name in imported_by(node)} & HEAVY
    }

    assert wrong == set()


def test_importing_all_modules_loads_nothing_heavy() -> None:
    script = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)\nprint(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script, *modules()], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()

    assert "curation.sources.hub" in loaded
    assert HEAVY & set(loaded) <= {"pandas", "pyarrow"}  # the SDK's client loads them


def test_only_the_backend_imports_flask() -> None:
    assert {short(path) for path in sources(*PACKAGES) if tops(path) & {"flask", "werkzeug"}} <= {
        short(path) for path in sources("backend")
    }


def test_only_the_trainers_scripts_import_what_trains() -> None:
    assert {short(path) for path in sources(*PACKAGES) if tops(path) & TRAINS} <= {
        short(path) for path in sources("trainer/scripts")
    }


def test_the_trainers_scripts_import_nothing_of_ours() -> None:
    assert {short(path): ours for path in sources("trainer/scripts") if (ours := tops(path) & set(PACKAGES))} == {}


def test_only_one_module_prints_so_that_nothing_that_people_wrote_steers_a_terminal() -> None:
    """`rich.progress` is let in: its columns say markup=False."""
    ways = re.compile(
        r"\bclick\.(echo|secho)\b|\bprint\(|\bsys\.std|from rich(?!\.progress)|TextColumn\((?!.*markup=False)"
    )

    assert {short(path) for path in sources("commands") if ways.search(path.read_text(encoding="utf-8"))} == {
        "commands/output.py"
    }


def test_no_module_is_long() -> None:
    long = {short(path): lines for path in sources(*PACKAGES) if (lines := lines_of_code(path)) > LONGEST_MODULE}

    assert long == {}


def test_no_function_is_long() -> None:
    long = {
        f"{short(path)} {function.name}"
        for path in sources(*PACKAGES)
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, FUNCTION)
        and (function.end_lineno or 0) - function.lineno + 1 - docstring_lines(function) > LONGEST_FUNCTION
    }

    assert long == set(LONGER_FUNCTIONS)


def test_the_map_names_each_module_and_no_other() -> None:
    folder, named = "", []
    for line in section("The map").splitlines():
        if heading := re.fullmatch(r"\*\*`([a-z_/]+/)`\*\*", line):
            folder = heading[1]
        elif row := re.fullmatch(r"\| `([a-z0-9_]+\.py)` \| \S.* \|", line):
            named.append(folder + row[1])

    modules = [short(path) for path in sources(*PACKAGES) if path.name not in {"__init__.py", "__main__.py"}]
    assert sorted(named) == sorted(modules)


def test_each_hop_of_a_walk_is_a_call_in_its_own_room_or_a_lower_one() -> None:
    hops = walk()
    assert len(hops) > 20
    for caller_file, caller, callee_file, callee in hops:
        assert STOREYS[callee_file.split("/")[0]] <= STOREYS[caller_file.split("/")[0]], (caller_file, callee_file)
        source = (ROOT / caller_file).read_text(encoding="utf-8")
        assert callee in dict(functions(ROOT / callee_file)), (callee_file, callee)
        body = dict(functions(ROOT / caller_file))[caller]
        name = callee.removesuffix(".__init__").rpartition(".")[2]
        assert re.search(rf"\b{name}\b", ast.get_source_segment(source, body) or ""), (caller_file, caller, callee)


def test_importing_a_module_opens_no_connection_and_reads_no_setting() -> None:
    """In a fresh interpreter where each connection and each start of a program raises, with settings that are wrong."""
    script = (
        "import importlib, socket, subprocess, sys\n"
        "def refuse(*_, **__): raise RuntimeError('work at import')\n"
        "socket.socket.connect = socket.socket.bind = refuse\n"
        "subprocess.Popen.__init__ = refuse\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
    )
    wrong = {"PATH": "/usr/bin:/bin", "WORKERS": "none", "REDIS_URL": "nowhere", "OPENAI_PROVIDER": "nobody"}

    result = subprocess.run(
        [sys.executable, "-c", script, *modules()], cwd=ROOT, env=wrong, capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stderr


def test_a_name_stands_for_one_thing() -> None:
    """No two public classes have one name."""
    places: dict[str, list[str]] = {}
    for path in sources(*PACKAGES):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(short(path))

    assert {name: found for name, found in places.items() if len(found) > 1} == {}
