"""What README and docs/install.md say of `docker compose`, done with the real programs in containers."""

import re

import pytest
from conftest import DOLLARS, GATEWAY, Stack
from person import Person, sentry_addresses
from services import Eventually

LOOK_S = 60
REFUSED = {403, 404}


def status(stack: Stack) -> str:
    return stack.annotune("status")


def test_a_stranger_cannot_sign_up(whole: Stack) -> None:
    stranger = Person(whole.person.url)

    assert stranger.sign_up("stranger@example.org", "stranger-123") in REFUSED
    assert not stranger.sign_in("stranger@example.org", "stranger-123")
    stranger.close()


def test_label_studio_reports_to_nobody(whole: Stack) -> None:
    pages = whole.person.page("/user/login/") + whole.person.page("/projects/")
    logs = whole.deployment.run("logs", "label-studio")

    assert "APP_SETTINGS" in pages
    assert logs
    assert sentry_addresses(pages + logs) == []


def test_what_is_closed_is_closed(whole: Stack) -> None:
    reach = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=4)"
    for place, port in (("redis", "6379"), ("ollama", "11434")):
        told = whole.deployment.inside("label-studio", "python3", "-c", reach, place, port, ok=(1,))
        assert re.search(r"gaierror|timed out|refused|unreachable", told), told
    assert "Read-only" in whole.deployment.inside("backend", "touch", "/app/x", ok=(1,))
    published = {name: made["Publishers"] for name, made in whole.deployment.containers().items()}
    assert all(port["URL"] in {"127.0.0.1", ""} for ports in published.values() for port in ports or ())


def test_each_container_gets_its_own_settings_and_no_others(whole: Stack) -> None:
    given = {name: whole.deployment.environment(name) for name in ("label-studio", "ollama", "backend", "worker")}
    secrets = {whole.deployment.settings[name] for name in ("BASIC_AUTH_PASS", "WEBHOOK_SECRET", "REDIS_PASSWORD")}

    assert given["backend"]["OPENAI_API_KEY"] == DOLLARS
    assert {name for name, values in given.items() if values.get("HF_TOKEN")} == {"worker"}
    assert given["label-studio"]["EXTRA_LABEL_STUDIO"] == "told $it"
    assert given["label-studio"]["SENTRY_DSN"] == ""
    assert given["ollama"]["OLLAMA_NUM_PARALLEL"] == "2"
    assert not secrets & {*given["label-studio"].values(), *given["ollama"].values()}


def test_the_trainer_stays_after_a_plain_up_and_both_know_the_recipe(whole: Stack) -> None:
    containers = whole.deployment.containers()

    assert containers["worker"]["Image"] != containers["backend"]["Image"]
    assert {whole.deployment.environment(name)["RECIPE"] for name in ("backend", "worker")} == {"small"}
    assert "training: small" in status(whole)


def test_a_question_is_answered(whole: Stack) -> None:
    assert whole.person.ask(whole.project, whole.tasks[0])


def test_a_training_goes_live_and_its_rollback_survives_a_rebuild(whole: Stack, eventually: Eventually) -> None:
    for task, pair in zip(whole.tasks, whole.pairs, strict=True):
        whole.person.submit(task, pair.answer)
    eventually(lambda: f"{len(whole.pairs)} usable" in status(whole), LOOK_S)

    assert "is live, trained on" in whole.annotune("train", str(whole.project))
    assert whole.person.ask(whole.project, whole.tasks[0])

    assert "answers again" in whole.annotune("models", "rollback", str(whole.project))
    for service in ("worker", "backend"):
        assert "0 live pointers were restored" in " ".join(whole.annotune("models", "rebuild", service=service).split())
    assert "environment's default" in whole.annotune("models", "list", str(whole.project))


def test_a_stop_ends_all_within_their_grace(whole: Stack) -> None:
    grace = {"backend": 100, "worker": 20, "redis": 10}
    for name, seconds in grace.items():
        whole.deployment.run("stop", "--timeout", str(seconds), name)

    ended = whole.deployment.containers()
    assert {name: ended[name]["ExitCode"] for name in grace} == dict.fromkeys(grace, 0)


def test_a_label_studio_of_ones_own_is_answered_and_learnt_from(outside: Stack, eventually: Eventually) -> None:
    assert set(outside.deployment.containers()) == {"redis", "ollama", "backend", "worker"}
    [port] = outside.deployment.containers()["backend"]["Publishers"]
    assert port["URL"] == GATEWAY
    assert "RECIPE is not set" in status(outside)

    assert outside.person.ask(outside.project, outside.tasks[0])
    outside.person.submit(outside.tasks[0], outside.pairs[0].answer)
    eventually(lambda: "1 usable" in status(outside), LOOK_S)


@pytest.mark.parametrize("profiles", ["", "label-studio", "ollama", "label-studio,ollama"])
def test_a_profile_brings_its_service_and_no_other(outside: Stack, profiles: str) -> None:
    arguments = [part for name in profiles.split(",") if name for part in ("--profile", name)]
    outside.deployment.set(COMPOSE_PROFILES="")
    services = set(outside.deployment.run(*arguments, "config", "--services").split())

    assert services == {"redis", "backend", "worker", *filter(None, profiles.split(","))}
