import socket
from pathlib import Path

import pytest

from embedded.processes import ServiceError, free_port
from embedded.stack import clean, deployment_name, lock_folder, preferred_port


def test_a_free_port_is_taken_as_preferred() -> None:
    preferred = free_port()

    assert preferred_port(preferred) == preferred


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        assert preferred_port(taken.getsockname()[1]) != taken.getsockname()[1]


def test_a_second_demo_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with lock_folder(tmp_path), pytest.raises(ServiceError, match="another demo"), lock_folder(tmp_path):
        pass


def test_deployments_in_other_folders_have_other_names(tmp_path: Path) -> None:
    assert deployment_name(tmp_path / "a") != deployment_name(tmp_path / "b")


def test_cleaning_where_no_ollama_of_the_users_was_used_deletes_nothing(tmp_path: Path) -> None:
    assert clean(tmp_path) == []
