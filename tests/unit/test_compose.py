"""What docker-compose.yml and its overlays open, close and build, as far as the files can show it."""

import ipaddress
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from annotune.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
OVERLAYS = {
    device: yaml.safe_load((ROOT / f"docker-compose.{device}.yml").read_text(encoding="utf-8"))["services"]
    for device in ("cpu", "gpu")
}
OURS = ("backend", "worker")
OTHERS = {"label-studio": "label-studio.env", "ollama": "ollama.env"}
SECRETS = {"BASIC_AUTH_PASS", "WEBHOOK_SECRET", "REDIS_PASSWORD"}
NOT_PASSED = {
    "OLLAMA_HOST": "OLLAMA_ENDPOINT is set, and wins",
    "RUNS_DIR": "the image says where its volume is",
    "TRAINER_PYTHON": "the image has its own",
    "LLAMA_CPP_DIR": "the image has none, and needs none",
    "ALLOW_ANONYMOUS": "credentials are required",
}
# Label Studio's own list (1.23.2, core/utils/io.py, validate_ip).
BANNED_TEXT = """
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24
    192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 233.252.0.0/24 240.0.0.0/4 255.255.255.255/32
    ::/128 ::1/128 ::ffff:0:0/96 ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001:0000::/32 2001:20::/28
    2001:db8::/32 2002::/16 fc00::/7 fe80::/10 ff00::/8
"""
BANNED_BY_LABEL_STUDIO = BANNED_TEXT.split()


def default(value: str) -> str:
    """What compose puts in where the variable is not set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


def networks(service: str) -> set[str]:
    return set(SERVICES[service]["networks"])


def test_every_setting_reaches_the_backend_and_the_worker() -> None:
    passed = set(COMPOSE["x-annotune"])

    assert {name.upper() for name in Settings.model_fields} - passed - set(NOT_PASSED) == set()
    assert passed & set(NOT_PASSED) == set()
    assert all(SERVICES[name]["environment"] == COMPOSE["x-annotune"] for name in OURS)


@pytest.mark.parametrize("service", SERVICES)
def test_a_port_is_published_on_this_machine_alone(service: str) -> None:
    assert all(default(port).startswith("127.0.0.1:") for port in SERVICES[service].get("ports", []))


def test_redis_and_ollama_are_on_networks_without_label_studio_and_publish_no_port() -> None:
    assert networks("label-studio") == {"studio"}
    assert [networks(name) & {"studio"} or "ports" in SERVICES[name] for name in ("redis", "ollama")] == [False, False]
    assert networks("redis") & networks("ollama") == set()
    assert all(networks(name) >= {"studio", *networks("redis"), *networks("ollama")} for name in OURS)


def test_secrets_have_no_default_and_their_absence_names_the_command() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")

    for name in SECRETS:
        assert re.search(rf"\${{{name}:\?[^}}]*make env", text), name
        assert f"${{{name}:-" not in text


def test_redis_asks_for_the_password_that_the_others_have() -> None:
    command = SERVICES["redis"]["command"]

    assert command[command.index("--requirepass") + 1] == "${REDIS_PASSWORD}"
    assert re.fullmatch(r"redis://:\$\{REDIS_PASSWORD:\?[^}]*\}@redis:6379/0", COMPOSE["x-annotune"]["REDIS_URL"])


@pytest.mark.parametrize("service", OURS)
def test_our_services_run_read_only_without_privileges(service: str) -> None:
    written = SERVICES[service]

    assert (written["read_only"], written["init"], written["cap_drop"]) == (True, True, ["ALL"])
    assert written["tmpfs"] == ["/tmp"]  # noqa: S108 - in the container
    assert "no-new-privileges:true" in written["security_opt"]
    assert written["restart"] == "unless-stopped"
    assert written["stop_grace_period"]
    closed = {"read_only", "tmpfs", "cap_drop", "init", "security_opt", "networks", "ports"}
    assert all(not closed & overlay.get(service, {}).keys() for overlay in OVERLAYS.values())


def test_a_stop_waits_for_the_longest_answer() -> None:
    longest_s = Settings.model_fields["model_deadline_s"].default + 10

    assert SERVICES["backend"]["stop_grace_period"] == f"{longest_s}s"


def test_label_studio_and_ollama_are_left_out_by_a_profile_and_nothing_else_is() -> None:
    written = (ROOT / ".env.example").read_text(encoding="utf-8")

    assert {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service} == {
        name: [name] for name in OTHERS
    }
    assert "\nCOMPOSE_PROFILES=label-studio,ollama\n" in written
    assert not {each for service in SERVICES.values() for each in service.get("depends_on", [])} & set(OTHERS)


def test_a_label_studio_and_an_ollama_outside_can_be_named_and_reached() -> None:
    written = (ROOT / ".env.example").read_text(encoding="utf-8")
    named = {"LABEL_STUDIO_URL", "BACKEND_URL", "OLLAMA_ENDPOINT"}

    assert all(f"\n{name}=\n" in written for name in (*named, "BACKEND_BIND"))
    assert all(COMPOSE["x-annotune"][name].startswith(f"${{{name}:-http") for name in named)
    assert SERVICES["backend"]["ports"] == ["${BACKEND_BIND:-127.0.0.1}:${BACKEND_PORT:-9090}:9090"]
    assert all(SERVICES[name]["extra_hosts"] == ["host.docker.internal:${HOST_GATEWAY:-host-gateway}"] for name in OURS)


@pytest.mark.parametrize(("service", "file"), OTHERS.items())
def test_others_get_their_own_settings_from_a_file_of_their_own_and_none_of_ours(service: str, file: str) -> None:
    assert SERVICES[service]["env_file"] == [{"path": file, "required": False}]
    assert not set(SERVICES[service].get("environment", {})) & set(COMPOSE["x-annotune"])
    assert all("env_file" not in SERVICES[name] for name in (*OURS, "redis"))
    ignored = subprocess.run(["git", "check-ignore", "--no-index", file], cwd=ROOT, check=False, capture_output=True)
    assert ignored.returncode == 0, f"git would take in {file}"


@pytest.mark.parametrize("device", ["", *OVERLAYS])
def test_no_two_services_build_one_tag_and_each_image_of_ours_is_built(device: str) -> None:
    overlay = OVERLAYS.get(device, {})
    services = {name: SERVICES[name] | overlay.get(name, {}) for name in OURS}
    built = [service["image"] for service in services.values() if "build" in service]

    assert len(set(built)) == len(built)
    assert {service["image"] for service in services.values()} == set(built)
    assert SERVICES["worker"]["pull_policy"] == "never"
    assert "backend" in SERVICES["worker"]["depends_on"]


@pytest.mark.parametrize(("device", "recipe", "index"), [("cpu", "small", "https://"), ("gpu", "article", "")])
def test_an_overlay_builds_the_trainer_and_tells_the_recipe_to_both(device: str, recipe: str, index: str) -> None:
    overlay = OVERLAYS[device]
    build = overlay["worker"]["build"]

    assert {overlay[name]["environment"]["RECIPE"] for name in OURS} == {f"${{RECIPE:-{recipe}}}"}
    assert (build["target"], build["args"]["TRAINER_DEVICE"]) == ("trainer", device.upper())
    assert build["args"]["TORCH_INDEX"].startswith(f"${{TORCH_INDEX:-{index}")
    assert overlay["worker"]["image"] == f"${{TRAINER_IMAGE:-annotune-trainer-{device}}}"
    assert overlay["worker"]["volumes"] == ["base-models:/base-models"]
    assert "HF_TOKEN" in overlay["worker"]["environment"]
    assert "HF_TOKEN" not in {*overlay["backend"]["environment"], *COMPOSE["x-annotune"]}


def test_commands_in_either_container_find_the_runs() -> None:
    assert all("runs:/runs" in SERVICES[name]["volumes"] for name in OURS)


def test_label_studio_takes_no_strangers_and_calls_nobody() -> None:
    environment = SERVICES["label-studio"]["environment"]

    assert environment["LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK"] == "true"
    assert (environment["SENTRY_DSN"], environment["FRONTEND_SENTRY_DSN"]) == ("", "")
    assert (environment["COLLECT_ANALYTICS"], environment["LATEST_VERSION_CHECK"]) == ("false", "false")


def test_label_studio_may_call_the_backends_network_and_no_other_private_one() -> None:
    environment = SERVICES["label-studio"]["environment"]
    [place] = COMPOSE["networks"]["studio"]["ipam"]["config"]
    subnet = ipaddress.ip_network(default(place["subnet"]))
    gateway = ipaddress.ip_address(default(place["gateway"]))
    banned = [ipaddress.ip_network(part) for part in default(environment["USER_ADDITIONAL_BANNED_SUBNETS"]).split(",")]
    private = ipaddress.collapse_addresses(
        network for network in map(ipaddress.ip_network, BANNED_BY_LABEL_STUDIO) if network.version == 4
    )
    refused_v4 = [
        rest
        for network in private
        for rest in (network.address_exclude(subnet) if subnet.subnet_of(network) else [network])
    ]
    written_v4 = [network for network in banned if network.version == 4]

    assert (environment["ML_BLOCK_LOCAL_IP"], environment["SSRF_PROTECTION_ENABLED"]) == ("true", "true")
    assert environment["USE_DEFAULT_BANNED_SUBNETS"] == "false"
    assert list(ipaddress.collapse_addresses([*written_v4])) == list(
        ipaddress.collapse_addresses([*refused_v4, ipaddress.ip_network(gateway)])
    )
    assert {network for network in banned if network.version == 6} == {
        ipaddress.ip_network(part) for part in BANNED_BY_LABEL_STUDIO if ":" in part
    }


def test_one_command_writes_the_environment_with_fresh_secrets_and_never_over_one(tmp_path: Path) -> None:
    for name in ("Makefile", ".env.example"):
        (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    subprocess.run(["make", "env"], cwd=tmp_path, check=True, capture_output=True)
    written = dict(re.findall(r"^(\w+)=(.*)$", (tmp_path / ".env").read_text(encoding="utf-8"), re.MULTILINE))
    again = subprocess.run(["make", "env"], cwd=tmp_path, check=False, capture_output=True, text=True)

    secrets = [written[name] for name in (*SECRETS, "LABEL_STUDIO_PASSWORD")]
    assert len(set(secrets)) == 4
    assert all(re.fullmatch(r"[0-9a-f]{48}", secret) for secret in secrets)
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    assert again.returncode != 0
    assert ".env is there already" in again.stdout
