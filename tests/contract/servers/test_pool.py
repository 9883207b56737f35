"""One client for each model server, and what a server can do without one."""

from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import pytest

from annotune.errors import ConfigurationError
from annotune.models import ServerName
from annotune.servers.pool import Servers, capabilities_of
from annotune.settings import load_settings


def test_a_process_has_one_client_per_server() -> None:
    servers = Servers(load_settings(openai_api_key="k"))
    with ThreadPoolExecutor(8) as threads:
        made = set(threads.map(lambda _: servers.get("openai"), range(32)))
    servers.close()

    assert len(made) == 1
    assert servers.get("ollama") not in made
    servers.close()


def test_a_server_whose_settings_are_missing_names_them_and_harms_no_other() -> None:
    servers = Servers(load_settings())
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        servers.get("openai")

    assert servers.get("ollama").name == "ollama"
    servers.close()


@pytest.mark.parametrize("name", get_args(ServerName))
def test_what_a_server_can_do_is_what_its_client_states(name: ServerName) -> None:
    servers = Servers(load_settings(openai_api_key="k", azure_resource_endpoint="https://r.example"))

    assert servers.get(name).capabilities == capabilities_of(name)
    servers.close()
