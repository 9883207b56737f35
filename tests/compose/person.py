"""A person at a Label Studio, by the calls that its page makes."""

import re
from typing import Any

import httpx

ASK_S = 200
PROMPT = "Answer the question in one short sentence."


class Person:
    """Signed in nowhere at first."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, timeout=ASK_S, trust_env=False)

    def is_up(self) -> bool:
        try:
            return self._http.get("/health").is_success
        except httpx.HTTPError:
            return False

    def page(self, path: str) -> str:
        return self._http.get(path, follow_redirects=True).text

    def sign_up(self, email: str, password: str) -> int:
        """The status of Label Studio's answer."""
        return self._form("/user/signup/", email, password).status_code

    def sign_in(self, email: str, password: str) -> bool:
        self._form("/user/login/", email, password)
        return self._http.get("/api/current-user/whoami").is_success

    def token(self) -> str:
        """A new personal access token."""
        return str(self.call("POST", "/api/token/")["token"])

    def project(self, config: str, data: list[dict[str, str]]) -> tuple[int, list[int]]:
        """A new project's id and its tasks', in the order of `data`."""
        project = int(self.call("POST", "/api/projects/", {"title": "Compose", "label_config": config})["id"])
        self.call("POST", f"/api/projects/{project}/import", data)
        tasks = self.call("GET", f"/api/tasks/?project={project}&page_size={len(data)}&fields=all")["tasks"]
        return project, sorted(int(task["id"]) for task in tasks)

    def ask(self, project: int, task: int) -> str:
        """The model's answer, as Shift+Enter gets it."""
        [backend] = self.call("GET", f"/api/ml?project={project}")
        body = {"task": task, "context": {"result": [_region("prompt", PROMPT)]}}
        said = self.call("POST", f"/api/ml/{backend['id']}/interactive-annotating", body)["data"]
        [text] = [region["value"]["text"] for region in said["result"] if region["from_name"] == "response"]
        return "\n".join(text)

    def submit(self, task: int, answer: str) -> None:
        result = [_region("prompt", PROMPT), _region("response", answer)]
        self.call("POST", f"/api/tasks/{task}/annotations/", {"result": result})

    def call(self, method: str, path: str, body: object = None) -> Any:
        reply = self._http.request(method, path, json=body, headers=self._page_headers())
        assert reply.is_success, f"{method} {path}: {reply.status_code} {reply.text[:500]}"
        return reply.json()

    def close(self) -> None:
        self._http.close()

    def _form(self, path: str, email: str, password: str) -> httpx.Response:
        self._http.get("/user/login/")
        fields = {"csrfmiddlewaretoken": self._http.cookies["csrftoken"], "email": email, "password": password}
        return self._http.post(path, data=fields, headers=self._page_headers())

    def _page_headers(self) -> dict[str, str]:
        token = self._http.cookies.get("csrftoken", "")
        return {"Referer": str(self._http.base_url), "X-CSRFToken": token}


def sentry_addresses(text: str) -> list[str]:
    """Each mention of its maker's collector of errors."""
    return re.findall(r"\S*sentry\.io\S*", text)


def _region(control: str, text: str) -> dict[str, Any]:
    value = {"text": [text]}
    return {
        "id": control,
        "from_name": control,
        "to_name": "chat",
        "type": "textarea",
        "origin": "manual",
        "value": value,
    }
