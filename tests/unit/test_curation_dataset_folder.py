"""A dataset's folder is replaced as a whole, and nothing else is touched."""

from pathlib import Path

import pytest

from annotune.errors import InUse, RequestInvalid
from curation import dataset_folder
from curation.dataset import write_files
from curation.dataset_folder import DatasetFolder
from curation.manifest import About, read_manifest


def write(folder: Path, *lines: str) -> None:
    write_files(folder, {"train": list(enumerate(lines)), "eval": []}, About())


def build(folder: Path, *lines: str) -> bool:
    """As a build does it; whether the folder changed."""
    target = DatasetFolder(folder)
    with target.beside() as part:
        write(part, *lines)
        is_new = not target.holds(part)
        if is_new:
            target.replace_by(part)
    return is_new


@pytest.fixture(params=["exchange", "two renames"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "two renames":
        monkeypatch.setattr(dataset_folder.ctypes, "CDLL", lambda *_, **__: object())


@pytest.mark.usefixtures("way")
def test_a_new_dataset_replaces_the_old_one_and_keeps_what_else_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "set"

    assert build(folder, "a\n")
    (folder / "notes.txt").write_text("mine")
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref")

    assert not build(folder, "a\n")
    assert build(folder, "b\n")
    assert (folder / "train.jsonl").read_text() == "b\n"
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / ".git" / "HEAD").read_text() == "ref"
    assert [path.name for path in folder.parent.iterdir()] == ["set"]


def test_a_build_that_ends_in_the_middle_leaves_the_old_one_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    build(folder, "a\n")
    before = read_manifest(folder)
    (tmp_path / ".set.building").mkdir()
    (tmp_path / ".set.building" / "train.jsonl").write_text("half a l")
    (tmp_path / ".set.building" / "rest").mkdir()

    assert read_manifest(folder) == before
    assert not build(folder, "a\n")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "set")

    build(tmp_path / "link", "a\n")
    build(tmp_path / "link", "b\n")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "set" / "train.jsonl").read_text() == "b\n"


def test_what_is_no_dataset_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_text("a")
    (tmp_path / "file").write_text("a")

    with pytest.raises(RequestInvalid, match="no dataset of Annotune"):
        DatasetFolder(tmp_path / "photos")
    with pytest.raises(RequestInvalid, match="is a file"):
        DatasetFolder(tmp_path / "file")
    with pytest.raises(RequestInvalid, match="nothing can be written"), DatasetFolder(tmp_path / "file" / "x").beside():
        pass


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()

    assert build(tmp_path / "set", "a\n")


def test_two_builds_of_one_dataset_do_not_meet(tmp_path: Path) -> None:
    first, second = DatasetFolder(tmp_path / "set"), DatasetFolder(tmp_path / "set")

    with first.beside() as part:
        (part / "train.jsonl").write_text("mine")
        with pytest.raises(InUse, match="another process builds"), second.beside():
            pass
        assert (part / "train.jsonl").read_text() == "mine"
    with second.beside() as part:
        assert list(part.iterdir()) == []
