"""Whether Label Studio answers. Nothing here loads the SDK, so that the backend can ask often."""

import httpx

from annotune.deadline import Deadline
from annotune.errors import LabelStudioUnreachable
from annotune.network import AnswerTooLarge, get


def check_reachable(url: str, deadline: Deadline) -> None:
    """Return if Label Studio answers. No key is sent.

    Raises:
        LabelStudioUnreachable: it does not, or not in time, or with an error.
    """
    try:
        get(f"{url.rstrip('/')}/health", deadline).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL, AnswerTooLarge) as error:
        raise LabelStudioUnreachable("Label Studio is not reachable: start it, or fix LABEL_STUDIO_URL") from error
