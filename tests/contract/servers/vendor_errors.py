"""Every error class that a vendor's package defines."""

from collections.abc import Iterator
from types import ModuleType

import httpx
import httpx2


def error_classes(*packages: ModuleType) -> list[type[Exception]]:
    """All exception classes that the packages define, exported or not.

    Left out are warnings, and private classes, which a vendor catches itself.
    """
    names = {package.__name__ for package in packages}
    found = {
        kind
        for kind in _subclasses(Exception)
        if kind.__module__.split(".")[0] in names
        and not kind.__name__.startswith("_")
        and not issubclass(kind, Warning)
    }
    return sorted(found, key=lambda kind: (kind.__module__, kind.__name__))


def exported_errors(*packages: ModuleType) -> set[type[Exception]]:
    """The exception classes that the packages export. Warnings are left out."""
    public = [value for package in packages for name, value in list(vars(package).items()) if name[0] != "_"]
    return {
        value
        for value in public
        if isinstance(value, type) and issubclass(value, Exception) and not issubclass(value, Warning)
    }


def made(kind: type[Exception]) -> Exception:
    """An error with whatever its adapter may read of it, made without its constructor."""
    http = httpx if kind.__module__.split(".")[0] in {"httpx", "ollama"} else httpx2
    asked = http.Request("POST", "http://vendor")
    read = {"message": "x", "error": "x", "body": None, "status_code": 418, "request": asked}
    error = kind.__new__(kind)
    Exception.__init__(error, "x")
    error.__dict__.update(read, response=http.Response(418, request=asked))
    return error


def _subclasses(kind: type[Exception]) -> Iterator[type[Exception]]:
    for child in kind.__subclasses__():
        yield child
        yield from _subclasses(child)
