"""A Label Studio of a few routes over HTTP, answering in the shape of 1.23.2."""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from label_studio_sdk.label_interface import LabelInterface

CONFIG = """<View><Text name="chat" value="$question"/><TextArea name="prompt" toName="chat"/>
<TextArea name="response" toName="chat" editable="true" smart="false"/></View>"""

ALWAYS: dict[str, object] = {
    "/health": {"status": "UP"},
    "/api/token/refresh/": {"access": "fresh"},
    "/api/current-user/whoami": {"id": 1, "email": "admin@localhost.com"},
    "/api/users/": [
        {"id": 1, "email": "admin@localhost.com", "first_name": "", "last_name": ""},
        {"id": 2, "email": "ada@example.org", "first_name": "Ada", "last_name": "Byron"},
    ],
}

DELETED = b"deleted"


def region(control: str, text: str) -> dict[str, Any]:
    return {"id": control, "from_name": control, "to_name": "chat", "type": "textarea", "value": {"text": [text]}}


@dataclass
class LabelStudioDouble:
    """Keeps its projects (id -> tasks) and the requests that it got (`asked`).

    If `refusal` is set, it answers everything with that status and body. `push_refusal` is the same for new predictions, by
    task; `rewrite_refusal` for changes of stored predictions, by their ids; `change_refusal` for changes of a project or a
    backend, which `changes` lists. A task with `import_refusal` in a field is refused. `during_import` is called with the
    number of an import, before and after its tasks are made; if it raises, the answer is lost. `shown` is the
    `model_version` of each project: whose predictions it shows.
    """

    projects: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    configs: dict[int, str] = field(default_factory=dict)
    titles: dict[int, str] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, list[str]]]] = field(default_factory=list)
    refusal: tuple[int, object] | None = None
    evaluating: set[int] = field(default_factory=set)
    push_refusal: dict[int, tuple[int, object]] = field(default_factory=dict)
    rewrite_refusal: dict[int, tuple[int, object]] = field(default_factory=dict)
    backends: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    webhooks: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    shown: dict[int, str | None] = field(default_factory=dict)
    change_refusal: tuple[int, object] | None = None
    changes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    delay: Callable[[], object] = lambda: None
    during_import: Callable[[int, bool], object] = lambda _number, _made: None
    import_refusal: str | None = None
    _annotations: int = 0
    _predictions: int = 0
    _imports: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        double = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                double.delay()
                parts = urlsplit(self.path)
                query = parse_qs(parts.query)
                double.asked.append((parts.path, self.headers.get("Authorization", ""), query))
                changed = self.command == "PATCH" and ("/projects/" in parts.path or "/ml/" in parts.path)
                if self.command == "DELETE":
                    sent = DELETED
                answered = double._change(parts.path, json.loads(sent)) if changed else None
                status, body = double.refusal or answered or double._route(parts.path, query, sent)
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - names that http.server looks for

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Answer no more. Again changes nothing."""
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def add_project(self, project: int, questions: int = 0, config: str = CONFIG) -> None:
        self.configs[project] = config
        self.projects[project] = [
            {
                "id": project * 1000 + number,
                "data": {"question": f"Question {number}?"},
                "annotations": [],
                "predictions": [],
            }
            for number in range(questions)
        ]

    def submit(self, project: int, number: int, text: str, *, prompt: str = "Answer.", skipped: bool = False) -> int:
        """Annotate a project's task number `number`; the annotation's id."""
        self._annotations += 1
        now = datetime.now(UTC).isoformat()
        self.projects[project][number]["annotations"].append(
            {
                "id": self._annotations,
                "result": [] if skipped else [region("prompt", prompt), region("response", text)],
                "was_cancelled": skipped,
                "created_at": now,
                "updated_at": now,
                "completed_by": 1,
                "parent_prediction": None,
                "ground_truth": False,
                "created_ago": "0 minutes",
            }
        )
        return self._annotations

    def submit_all(self, project: int) -> None:
        for number in range(len(self.projects[project])):
            self.submit(project, number, f"Answer {number}")

    def predictions(self, project: int) -> list[list[dict[str, Any]]]:
        """Of each of a project's tasks."""
        return [task["predictions"] for task in self.projects[project]]

    def _route(  # noqa: PLR0911 - routes
        self, path: str, query: dict[str, list[str]], sent: bytes
    ) -> tuple[int, object]:
        if path in ALWAYS:
            return 200, ALWAYS[path]
        if path == "/api/ml/":
            return self._add(self.backends, json.loads(sent)) if sent else self._listed(self.backends, query)
        if path == "/api/webhooks/":
            return self._add(self.webhooks, json.loads(sent)) if sent else self._listed(self.webhooks, query)
        if path == "/api/tasks/":
            return self._tasks(int(query["project"][0]), query)
        if path.startswith("/api/tasks/"):
            return self._rewrite_task(int(path.removeprefix("/api/tasks/").rstrip("/")), json.loads(sent))
        if path == "/api/predictions/":
            return self._push(json.loads(sent)) if sent else (200, self._predictions_of(int(query["task"][0])))
        if path.startswith("/api/predictions/"):
            prediction = int(path.removeprefix("/api/predictions/").rstrip("/"))
            return self._delete(prediction) if sent == DELETED else self._rewrite(prediction, json.loads(sent))
        if path == "/api/projects/":
            return (
                self._create(json.loads(sent))
                if sent
                else self._list(int(query["page"][0]), int(query["page_size"][0]))
            )
        number, _, action = path.removeprefix("/api/projects/").rstrip("/").partition("/")
        project = int(number)
        if project not in self.projects:
            return 404, {"detail": "No Project matches the given query."}
        if action == "import":
            return self._import(project, json.loads(sent))
        if action == "import/predictions":
            return self._push_many(project, json.loads(sent))
        return 200, self._project(project)

    def _create(self, sent: dict[str, Any]) -> tuple[int, object]:
        project = max(self.projects, default=0) + 1
        self.add_project(project, config=sent["label_config"])
        self.titles[project] = sent["title"]
        return 201, self._project(project)

    def _list(self, page: int, size: int) -> tuple[int, object]:
        shown = sorted(self.projects)[(page - 1) * size : page * size]
        if page > 1 and not shown:
            return 404, {"detail": "Invalid page."}
        rows = [self._project(project) for project in shown]
        return 200, {"count": len(self.projects), "next": None, "previous": None, "results": rows}

    def _listed(self, rows: dict[int, list[dict[str, Any]]], query: dict[str, list[str]]) -> tuple[int, object]:
        return 200, rows.get(int(query["project"][0]), [])

    def _add(self, rows: dict[int, list[dict[str, Any]]], sent: dict[str, Any]) -> tuple[int, object]:
        """A backend, which Label Studio reaches, or a webhook."""
        row = {**sent, "id": sum(map(len, rows.values())) + 1, "state": "CO", "model_version": "small"}
        rows.setdefault(int(sent["project"]), []).append(row)
        return 201, row

    def _project(self, project: int) -> dict[str, Any]:
        title, tasks = self.titles.get(project, f"Project {project}"), self.projects[project]
        shown = {"id": project, "title": title, "label_config": self.configs[project], "token": "x"}
        shown |= {"task_number": len(tasks)}
        shown |= {"num_tasks_with_annotations": sum(bool(task["annotations"]) for task in tasks)}
        told = {"model_version": self.shown.get(project, "")}
        return shown | told | {"evaluate_predictions_automatically": project in self.evaluating}

    def connect(self, project: int, told: str, title: str = "annotune") -> dict[str, Any]:
        """Connect a backend that answers with a version. A new project then shows its predictions, by its title."""
        backend = {"id": project * 10, "project": project, "url": "http://backend:9090", "title": title}
        backend |= {
            "description": "",
            "model_version": told,
            "state": "CO",
            "auth_method": "NONE",
            "extra_params": None,
        }
        self.backends.setdefault(project, []).append(backend)
        self.shown[project] = self.shown.get(project) or title
        return backend

    def _change(self, path: str, sent: dict[str, Any]) -> tuple[int, object]:
        """A PATCH: of a backend, whose project follows its title; or of what a project shows."""
        self.changes.append((path, sent))
        if self.change_refusal:
            return self.change_refusal
        kind, number = path.removeprefix("/api/").rstrip("/").split("/")
        if kind == "projects":
            project, version = int(number), sent["model_version"]
            if version not in {backend["title"] for backend in self.backends.get(project, [])}:
                wrong = "Model version doesn't exist either as live model or as static predictions."
                return 400, {"detail": "Validation error", "validation_errors": {"model_version": [wrong]}}
            self.shown[project] = version
            return 200, self._project(project)
        if not {"url", "project"} <= set(sent):
            return 500, {"detail": "MLBackend.healthcheck_() missing 1 required positional argument: 'url'"}
        backend = next(each for each in self.backends[sent["project"]] if each["id"] == int(number))
        if self.shown[sent["project"]] == backend["title"]:
            self.shown[sent["project"]] = sent["title"]
        backend |= sent
        return 200, backend

    def _predictions_of(self, task: int) -> list[dict[str, Any]]:
        found = [each for tasks in self.projects.values() for each in tasks if each["id"] == task]
        return [{"task": task, **prediction} for each in found for prediction in each["predictions"]]

    def _push(self, prediction: dict[str, Any]) -> tuple[int, object]:
        if prediction["task"] in self.push_refusal:
            return self.push_refusal[prediction["task"]]
        tasks = [task for tasks in self.projects.values() for task in tasks if task["id"] == prediction["task"]]
        if not tasks:
            return 400, {"detail": f'Invalid pk "{prediction["task"]}" - object does not exist.'}
        with self._lock:
            self._predictions += 1
            made = {"id": self._predictions, "created_at": datetime.now(UTC).isoformat(), **prediction}
            tasks[0]["predictions"].append(made)
        return 201, made

    def _rewrite(self, prediction: int, changed: dict[str, Any]) -> tuple[int, object]:
        if prediction in self.rewrite_refusal:
            return self.rewrite_refusal[prediction]
        stored = [each for tasks in self.projects.values() for task in tasks for each in task["predictions"]]
        found = next((each for each in stored if each["id"] == prediction), None)
        if found is None:
            return 404, {"detail": "No Prediction matches the given query."}
        found.update(changed)
        return 200, found

    def _delete(self, prediction: int) -> tuple[int, object]:
        with self._lock:
            for task in (task for tasks in self.projects.values() for task in tasks):
                for found in [each for each in task["predictions"] if each["id"] == prediction]:
                    task["predictions"].remove(found)
                    return 204, b""
        return 404, {"detail": "No Prediction matches the given query."}

    def _import(self, project: int, rows: list[dict[str, Any]]) -> tuple[int, object]:
        """New tasks, all or none: each must have the fields that the config shows."""
        shown = set(re.findall(r'value="\$(\w+)"', self.configs[project]))
        self._imports += 1
        self.during_import(self._imports, False)
        for number, row in enumerate(rows):
            if self.import_refusal in row["data"].values():
                wrong = f"Error at item {number}: it is not of this project"
                return 400, {"detail": "Validation error", "validation_errors": {"non_field_errors": [wrong]}}
            if missing := sorted(shown - set(row["data"])):
                wrong = f'Error at item {number}: "{missing[0]}" key is expected in task data'
                return 400, {"detail": "Validation error", "validation_errors": {"non_field_errors": [wrong]}}
        with self._lock:
            first = max((task["id"] for task in self.projects[project]), default=project * 1000 - 1) + 1
            made = [
                {
                    "id": first + number,
                    "data": row["data"],
                    "annotations": [self._imported(each) for each in row.get("annotations") or []],
                    "predictions": list(row.get("predictions") or []),
                    "drafts": [],
                }
                for number, row in enumerate(rows)
            ]
            self.projects[project] += made
        self.during_import(self._imports, True)
        ids = [task["id"] for task in made]
        return 201, {"task_count": len(made), "annotation_count": 0, "prediction_count": 0, "task_ids": ids}

    def _imported(self, annotation: dict[str, Any]) -> dict[str, Any]:
        """An annotation that came with its task: ground truth, unless it says that it is none."""
        self._annotations += 1
        now = datetime.now(UTC).isoformat()
        told = {"was_cancelled": False, "ground_truth": True, "completed_by": 1, "parent_prediction": None} | annotation
        return told | {"id": self._annotations, "created_at": now, "updated_at": now}

    def _push_many(self, project: int, predictions: list[dict[str, Any]]) -> tuple[int, object]:
        """Predictions of a project's tasks, all or none; those that the SDK cannot validate are left out."""
        tasks = {task["id"]: task for task in self.projects[project]}
        for prediction in predictions:
            if prediction["task"] in self.push_refusal:
                return self.push_refusal[prediction["task"]]
            if prediction["task"] not in tasks:
                return 400, {"detail": "Validation error", "validation_errors": ['invalid "task" field']}
        interface = LabelInterface(self.configs[project])
        fit = [each for each in predictions if not interface.validate_prediction(each, return_errors=True)]
        for prediction in fit:
            self._push(prediction)
        return 201, {"created": len(fit)}

    def _rewrite_task(self, number: int, changed: dict[str, Any]) -> tuple[int, object]:
        found = [task for tasks in self.projects.values() for task in tasks if task["id"] == number]
        if not found:
            return 404, {"detail": "No Task matches the given query."}
        found[0]["data"] = changed["data"]
        return 200, _shown(found[0], "", whole=True)

    def _tasks(self, project: int, query: dict[str, list[str]]) -> tuple[int, object]:
        if project not in self.projects:
            return 404, {"detail": "No Project matches the given query."}
        wanted, page, size = (
            _wanted(json.loads(query["query"][0])),
            int(query["page"][0]),
            int(query["page_size"][0]),
        )
        tasks = [task for task in self.projects[project] if wanted(task)]
        shown = tasks[(page - 1) * size : page * size]
        if page > 1 and not shown:
            return 404, {"detail": "Invalid page."}
        include, whole = query.get("include", [""])[0], query.get("fields") == ["all"]
        rows = [_shown(task, include, whole=whole) for task in shown]
        return 200, {"total": len(tasks), "total_annotations": 0, "total_predictions": 0, "tasks": rows}


def _shown(task: dict[str, Any], include: str, *, whole: bool) -> dict[str, Any]:
    """A task of the data manager's list with the fields of `include`, or all, and its annotations with them too.

    `whole`: annotations and predictions are there.
    """
    annotations = task["annotations"] if isinstance(task["annotations"], list) else []  # tests break them
    skipped = [each for each in annotations if isinstance(each, dict) and each.get("was_cancelled")]
    row = task | {
        "total_annotations": len(annotations) - len(skipped),
        "cancelled_annotations": len(skipped),
        "draft_exists": bool(task.get("drafts")),
    }
    left_out = () if whole else ("annotations", "predictions", "drafts", "draft_exists")
    names = include.split(",") if include else list(row)
    if include and annotations:
        row["annotations"] = [
            {name: each[name] for name in names if name in each} if isinstance(each, dict) else each
            for each in annotations
        ]
    return {"data": {}} | {name: row[name] for name in names if name in row and name not in left_out}


def _wanted(query: dict[str, Any]) -> Callable[[dict[str, Any]], bool]:
    """What a query's filters let through: tasks of some ids, or those that are annotated."""
    items = query["filters"]["items"]
    if items[0]["filter"] == "filter:tasks:id":
        spans = [(item["value"]["min"], item["value"]["max"]) for item in items]
        return lambda task: any(first <= task["id"] <= last for first, last in spans)
    return lambda task: bool(task["annotations"])
