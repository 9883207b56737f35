"""A connection to Redis, and the translation of its errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal
from urllib.parse import urlsplit

import redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

from annotune.errors import ConfigurationError, RecordUnreadable, StoreUnavailable

Patience = Literal["web", "job"]

# The refusals of Redis 6 to 8 and of Valkey: redis-py's class, or a word of the message if a script or a pipeline raises it.
_REFUSALS: tuple[tuple[type[redis.RedisError], str, str], ...] = (
    (
        redis.OutOfMemoryError,
        "OOM command not allowed",
        "Redis is full and keeps nothing new: raise its maxmemory, or free memory in it",
    ),
    (
        redis.ReadOnlyError,
        "READONLY",
        "Redis is a read-only replica and keeps nothing: set REDIS_URL to its primary, or make this one primary",
    ),
    (redis.BusyLoadingError, "LOADING", "Redis is still loading its data: wait until it has"),
    (
        redis.AuthenticationError,
        "NOAUTH",
        "Redis refuses the name or the password: they are wrong, or missing. Set REDIS_URL to 'redis://:PASSWORD@HOST:6379/0'",
    ),
    (
        redis.exceptions.NoPermissionError,
        "NOPERM",
        "Redis forbids its user a command: give the user of REDIS_URL more rights",
    ),
    (
        redis.exceptions.MaxConnectionsError,
        "max number of clients reached",
        "Redis has no connection left: raise its maxclients, or lower WORKERS and THREADS",
    ),
)
# Redis's words for a key of another type than the command needs.
_WRONG_TYPE = ("WRONGTYPE", "value is not an integer")
_DISK = "Redis cannot save to its disk and therefore keeps nothing new: free space there, and see its own log"
_UNREACHABLE = "Redis is not reachable: start it, or set REDIS_URL to where it answers"
_CLOSED = (
    "Redis is not reachable: what answers at REDIS_URL closes the connection. Either it is being stopped, or it speaks TLS"
    " (then write rediss://), or it is no Redis"
)
# Failures to connect, by words in the messages of Python 3.11 and of redis-py 6 to 8.
_CONNECTING = {
    "CERTIFICATE_VERIFY_FAILED": "Redis shows a certificate that nobody here trusts: name its authority in REDIS_URL, as"
    " 'rediss://redis:6379/0?ssl_ca_certs=/path/ca.pem'",
    "SSL": "what answers at REDIS_URL speaks no TLS: write redis:// instead of rediss://, or name its port for TLS",
    "handshake": "what answers at REDIS_URL speaks no TLS: write redis:// instead of rediss://, or name its port for TLS",
    "Name or service not known": "the host in REDIS_URL is not known: is its name right?",
    "Protocol Error": "what answers at REDIS_URL is no Redis: is its port right?",
    "closed by server": _CLOSED,
    "reset by peer": _CLOSED,
    "DB index is out of range": "Redis has no database of the number in REDIS_URL: end it with /0",
}
_REFUSED = "Redis refuses what it was asked: Annotune needs Redis 6.2 or later at REDIS_URL"


def connect_redis(url: str, *, patience: Patience, decode: bool) -> redis.Redis:
    """A client that connects when first used. RQ needs one that does not `decode` replies.

    Patience `web` gives up within half a second, so that a webhook is answered in time. `job` waits about two minutes, for a
    restart of Redis, so that the end of a training is not lost. Both send a command again if its reply was lost; Redis may
    therefore carry it out twice.

    Raises:
        ConfigurationError: it is no URL of Redis.
    """
    if patience == "web":
        retry, timeout_s = Retry(NoBackoff(), 1), 0.15
    else:
        retry, timeout_s = Retry(ExponentialBackoff(cap=5, base=0.2), 30), 5.0
    try:
        return redis.Redis.from_url(
            url,
            decode_responses=decode,
            socket_connect_timeout=timeout_s,
            socket_timeout=timeout_s,
            retry=retry,
            retry_on_error=[redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError],
        )
    except ValueError:
        raise ConfigurationError("the setting REDIS_URL is wrong: write one like 'redis://localhost:6379/0'") from None


def redis_address(url: str) -> str:
    """A Redis URL without its user name and password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


@contextmanager
def redis_errors(key: str = "its keys") -> Iterator[None]:
    """Translate the errors of calls about a key, or about the keys of one project.

    Raises:
        StoreUnavailable: Redis did not carry out a command; the message gives the reason.
        RecordUnreadable: the key holds another type than the command needs.
    """
    try:
        yield
    except redis.RedisError as error:
        if any(word in str(error) for word in _WRONG_TYPE):
            raise RecordUnreadable(location(key)) from error
        raise StoreUnavailable(_explain(error)) from error


def location(key: str) -> str:
    """The name of a key in the message of RecordUnreadable."""
    return f"{key} in Redis"


def _messages(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield str(error)
        error = error.__cause__ or error.__context__


def _explain(error: redis.RedisError) -> str:
    text = str(error)
    for kind, word, sentence in _REFUSALS:
        if isinstance(error, kind) or word in text:
            return sentence
    if "MISCONF" in text:
        return _DISK
    messages = "; ".join(_messages(error))
    for word, sentence in _CONNECTING.items():
        if word in messages:
            return sentence
    return _REFUSED if isinstance(error, redis.ResponseError) else _UNREACHABLE
