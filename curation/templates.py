"""Templates of projects: a labeling config, the prompt that goes with it, and sample tasks, from `prompts/projects/`."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError

from annotune.errors import ConfigurationError, LabelingInvalid, NotFound
from annotune.labeling.xml import config_root
from annotune.shipped import shipped
from annotune.values import StrictModel

PROJECTS = shipped("projects")
ABOUT = "project.toml"
LONGEST_TITLE = 50  # characters that Label Studio (1.23.2) takes


class TemplateAbout(StrictModel):
    """The file `project.toml` of a template. `fills` names the controls that the model fills; none: people fill all."""

    title: str = Field(min_length=3, max_length=LONGEST_TITLE)
    description: str = Field(min_length=1)
    fills: tuple[str, ...]


@dataclass(frozen=True)
class Template:
    """One template, read from a folder.

    `fills` names the controls that the model fills; if it is empty, people fill all of them, and there is no prompt.
    `prompt` is the project's first prompt, `system` its system message (None: the setting's). `served` is the prompt under
    which a dataset made of the project asks its questions; empty: the project's own.
    """

    name: str
    title: str
    description: str
    fills: tuple[str, ...]
    config: str
    prompt: str
    system: str | None
    served: str
    folder: Path

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a template; its name is the folder's.

        Raises:
            ConfigurationError: a file is missing or wrong; the message names it.
        """
        about = _about(folder / ABOUT)
        config = _text(folder / "labeling.xml")
        _check_controls(folder, config, about.fills)
        return cls(
            name=folder.name,
            title=about.title,
            description=about.description,
            fills=about.fills,
            config=config,
            prompt=_text(folder / "prompt.txt").strip() if about.fills else "",
            system=_text(folder / "system.txt").strip() if (folder / "system.txt").is_file() else None,
            served=_text(folder / "served.txt").strip() if (folder / "served.txt").is_file() else "",
            folder=folder,
        )

    def sample_tasks(self) -> list[dict[str, Any]]:
        """The data of the sample tasks, from `tasks.json`.

        Raises:
            ConfigurationError: the file is missing, or no JSON list of objects.
        """
        path = self.folder / "tasks.json"
        try:
            tasks = json.loads(_text(path))
        except ValueError as error:
            raise ConfigurationError(f"the sample tasks {str(path)!r} are no JSON: {error}") from error
        if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
            raise ConfigurationError(
                f"the sample tasks {str(path)!r} are no JSON list of objects: write one for each task"
            )
        return tasks


def templates(folder: Path | None = None) -> tuple[Template, ...]:
    """The templates of a folder, by name; those that Annotune ships if it is None.

    Raises:
        NotFound: there is no such folder.
        ConfigurationError: a template is wrong; the message names the file.
    """
    return tuple(Template.load(found) for found in _folders(folder).values())


def find_template(name: str, folder: Path | None = None) -> Template:
    """A template by its name.

    Args:
        name: the name of the template's folder.
        folder: the folder that it is in, or the template's own folder. None: `prompts/projects/`, which Annotune ships.

    Raises:
        NotFound: there is no such folder, or no template of that name in it.
        ConfigurationError: the template is wrong; the message names the file.
    """
    known = _folders(folder)
    if name not in known:
        where = "" if folder is None else f" in {str(folder)!r}"
        listed = ", ".join(known)
        choose = f"choose one of {listed}" if listed else f"a template is a folder that has a file {ABOUT!r}"
        raise NotFound(f"no template {name!r}{where}: {choose}")
    return Template.load(known[name])


def _folders(folder: Path | None) -> Mapping[str, Path]:
    """The folders of templates by name, in the order of the names."""
    inside = PROJECTS if folder is None else folder.resolve()
    if not inside.is_dir():
        raise NotFound(f"no folder {str(folder)!r}: name the folder that holds the template")
    if (inside / ABOUT).is_file():
        return {inside.name: inside}
    return {path.parent.name: path.parent for path in sorted(inside.glob(f"*/{ABOUT}"))}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"the template lacks the file {str(path)!r}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"the file {str(path)!r} is not in UTF-8: save it so") from error


def _about(path: Path) -> TemplateAbout:
    text = _text(path)
    try:
        return TemplateAbout.model_validate(tomllib.loads(text))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"the template's file {str(path)!r} is wrong at {key!r}: {first['msg']}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"the template's file {str(path)!r} is no TOML: {error}") from error


def _check_controls(folder: Path, config: str, fills: tuple[str, ...]) -> None:
    """Raises ConfigurationError if the config is no XML, or has no control of a name in `fills`."""
    path = str(folder / "labeling.xml")
    try:
        named = {tag.get("name") for tag in config_root(config).iter() if tag.get("toName")}
    except LabelingInvalid as error:
        raise ConfigurationError(f"the template's file {path!r} is wrong: {error}") from error
    missing = [name for name in fills if name not in named]
    if missing:
        raise ConfigurationError(
            f"the template's file {path!r} has no control {missing[0]!r}, which {ABOUT!r} names in 'fills':"
            f" its controls are {', '.join(sorted(filter(None, named)))}"
        )
