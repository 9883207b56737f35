"""Reading request bodies. Large ones are parsed one at a time, since their values take many times their size."""

import threading
from contextlib import nullcontext

from flask import request

from annotune.errors import BodyTooLarge
from annotune.settings import Settings
from backend.memory import LARGE_BODY
from backend.requests import Parsed, parse


class BodyReader:
    """Reads and parses the body of Flask's current request."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._one_at_a_time = threading.Lock()

    def read(self, kind: type[Parsed]) -> Parsed:
        """The body as a value of this type.

        Raises:
            BodyTooLarge: it has over MAX_BODY_MB.
            RequestInvalid: it does not fit the type.
        """
        length = request.content_length or 0
        if length > self._settings.largest_body:
            raise BodyTooLarge(
                f"the body has {length / 1e6:.1f} MB, of at most {self._settings.max_body_mb:g}: select fewer tasks, or let"
                " 'annotune predict' answer them, or raise MAX_BODY_MB"
            )
        with self._one_at_a_time if length > LARGE_BODY else nullcontext():
            return parse(kind, request.get_data(cache=False))
