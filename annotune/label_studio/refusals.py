"""What Label Studio (1.23.2) says when it refuses something, and what to do about it."""

import re

# By a part of Label Studio's message.
EXPLANATIONS = {
    "reserved network address": (
        "Label Studio refuses the private address {url}: set ML_BLOCK_LOCAL_IP=false (for the backend) and"
        " SSRF_PROTECTION_ENABLED=false (for the webhook) in Label Studio's own environment, restart it, and connect again"
    ),
    "Enter a valid URL": (
        "Label Studio makes no webhook to {url}: its host must be an IP address, 'localhost' or a dotted name without"
        " underscores; give the service such a network alias, and connect that"
    ),
    "resolve hostname": (
        "Label Studio knows no host of the name in {url}: give --url an address that Label Studio, not you, reaches"
    ),
    "health check failed": (
        "Label Studio does not reach the backend at {url}: start it with 'annotune serve', or give --url an address that"
        " Label Studio reaches"
    ),
}
DETAIL_CHARACTERS = 200
_OF_TASK = re.compile(r"(?<=\])=.* is of type", re.DOTALL)
_SETUP_REFUSED = re.compile(r"Reason: (?P<status>\d+) \w+ Error: (?P<reason>.*?) for url")


def explain_refusal(body: object, url: str) -> str:
    """What to do where Label Studio refuses the address of a backend or a webhook; empty for other reasons.

    `body` is the parsed body of the answer.
    """
    message = _text_of(body)
    setup = _SETUP_REFUSED.search(message)
    if setup and setup["status"] == "401":
        return (
            f"the backend at {url} refused the basic auth: BASIC_AUTH_USER and BASIC_AUTH_PASS must be the same here and"
            " where it is served"
        )
    if setup:
        return f"the backend at {url} refuses the project: {setup['reason']}"
    return next((text.format(url=url) for part, text in EXPLANATIONS.items() if part in message), "")


def detail_of(body: object) -> str:
    """The detail of an error's body, in brackets; empty where it has none."""
    found = body if isinstance(body, dict) else {}
    detail = found.get("validation_errors") or found.get("detail")
    return f" ({_without_data(_text_of(detail))[:DETAIL_CHARACTERS]})" if detail else ""


def _without_data(message: str) -> str:
    """The refusal of a task without the task's data, which may be long, and without remarks for programs."""
    told = _OF_TASK.sub(" is of type", message.replace("\n", "; "))
    return told.partition(" [assume:")[0].partition(" :: {")[0]


def _text_of(body: object) -> str:
    """All texts of an error's body. Each kind of error nests them differently."""
    if isinstance(body, dict):
        return "\n".join(_text_of(value) for value in body.values())
    return "\n".join(_text_of(value) for value in body) if isinstance(body, list) else str(body)
