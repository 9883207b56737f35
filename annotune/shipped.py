"""Where the texts of `prompts/` are: in a checkout, or beside the packages of an installed Annotune."""

from importlib.resources import files
from pathlib import Path


def shipped(*names: str) -> Path:
    """A file or folder of `prompts/`, such as `shipped("recipes", "small.toml")`."""
    return Path(str(files("prompts").joinpath(*names)))
