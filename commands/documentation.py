"""`python -m commands.documentation` writes docs/configuration.md from the settings themselves."""

from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from annotune.settings import Settings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"
HEAD = """# Configuration

Environment variables configure Annotune, and nothing else does. The backend, the worker and the commands read the same ones.
An empty value counts as unset. Quotes that a compose list leaves around a value are removed.
[`.env.example`](../.env.example) has the settings that most people change.

`python -m commands.documentation` writes this page from `annotune/settings.py`.

| setting | default | meaning |
| --- | --- | --- |
"""


def configuration() -> str:
    """The text of the page: one row for each setting, in the order of `Settings`."""
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
