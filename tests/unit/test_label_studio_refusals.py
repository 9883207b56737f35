"""What Label Studio (1.23.2) says of an address that it refuses, and what we make of it."""

import pytest

from annotune.label_studio.refusals import explain_refusal

URL = "http://127.0.0.1:9090"
SETUP = (
    "Can't connect to ML backend http://127.0.0.1:9090, health check failed. Make sure it is up. Reason: {} Client Error:"
    " {} for url: http://127.0.0.1:9090/setup"
)


def test_a_private_address_that_label_studio_refuses_names_the_two_settings() -> None:
    explained = explain_refusal("URL resolves to a reserved network address (block: 127.0.0.0/8)", URL)

    assert "ML_BLOCK_LOCAL_IP" in explained
    assert "SSRF_PROTECTION_ENABLED" in explained


@pytest.mark.parametrize(
    ("message", "part"),
    [
        ("Enter a valid URL.", "no webhook to http://127.0.0.1:9090"),
        ("Failed to resolve hostname", "--url"),
        ("health check failed", "annotune serve"),
        (SETUP.format(401, "UNAUTHORIZED"), "BASIC_AUTH_USER"),
        (SETUP.format(400, "no TextArea named 'response'"), "refuses the project: no TextArea named 'response'"),
    ],
)
def test_a_refusal_is_explained_wherever_the_body_has_it(message: str, part: str) -> None:
    assert part in explain_refusal({"validation_errors": {"url": [message]}, "status_code": 400}, URL)


def test_what_is_refused_for_another_reason_is_not_explained() -> None:
    assert explain_refusal({"detail": "You do not have permission"}, URL) == ""
