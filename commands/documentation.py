"""`python -m commands.documentation` writes docs/configuration.md from the settings themselves."""

from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from annotune.settings import Settings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"
HEAD = """# Configuration

Annotune is configured by environment variables alone: the backend, the worker and the commands read the same ones. An
empty value is an unset one, and quotes that a compose list leaves in a value are taken off. This page is written by
`python -m commands.documentation`.

| setting | default | meaning |
| --- | --- | --- |
"""


def configuration() -> str:
    """The page: one row per setting, in the order of `Settings`."""
    rows = (
        f"| `{name.upper()}` | {_default(field)} | {_cell(field.description or '')} |\n"
        for name, field in Settings.model_fields.items()
    )
    return HEAD + "".join(rows)


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is None or value == "":
        return "unset"
    if isinstance(value, bool):
        return f"`{int(value)}`"
    if isinstance(value, SecretStr):
        return "secret"
    return "`" + _cell(str(value)).replace("\n", "\\n") + "`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(configuration(), encoding="utf-8")
