"""Pictures come from Label Studio or an allow-list; whatever else an address says, nobody is asked."""

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from vendor import Reply, Vendor, json_reply

from annotune.deadline import Deadline
from annotune.errors import DeadlineExceeded, RequestInvalid
from annotune.images import ImageFetcher
from annotune.settings import Settings

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 50
SEEN = Reply(body=PNG, headers=(("Content-Type", "image/png"),))
LEGACY = "0123456789abcdef0123456789abcdef01234567"
PERSONAL = "eyJh.eyJi.c2ln"
Script = Callable[..., Vendor]


@pytest.fixture
def vendor() -> Iterator[Script]:
    with ExitStack() as stack:
        yield lambda *replies: stack.enter_context(Vendor(replies))


def pictures(studio: Vendor | None, *, addresses: tuple[str, ...] = (), **settings: object) -> ImageFetcher:
    """`addresses`: what every host name resolves to."""
    given = Settings(label_studio_url=studio.url if studio else None, **settings)
    return ImageFetcher(given, resolve=lambda host: list(addresses) or [host])


@pytest.mark.parametrize(
    "path", ["/data/upload/1/a.png", "/data/local-files/?d=a.png", "/storage-data/uploaded/?filepath=a"]
)
def test_a_file_of_label_studio_is_fetched_with_the_token(vendor: Script, path: str) -> None:
    studio = vendor(SEEN)
    for address in (path, f"{studio.url}{path}"):
        image = pictures(studio, label_studio_api_key=LEGACY).fetch(address, Deadline.never())
        assert (image.data, image.media_type) == (PNG, "image/png")

    assert [request.headers["authorization"] for request in studio.asked] == [f"Token {LEGACY}"] * 2
    assert studio.paths == [path, path]


def test_a_personal_token_is_changed_for_one_of_minutes_and_kept_for_them(vendor: Script) -> None:
    studio = vendor(json_reply({"access": "short-lived"}), SEEN)
    source = pictures(studio, label_studio_api_key=PERSONAL)
    for _ in range(2):
        source.fetch("/data/upload/1/a.png", Deadline.never())

    assert studio.paths == ["/api/token/refresh", "/data/upload/1/a.png", "/data/upload/1/a.png"]
    assert studio.asked[0].body == {"refresh": PERSONAL}
    assert {request.headers.get("authorization") for request in studio.asked[1:]} == {"Bearer short-lived"}


@pytest.mark.parametrize(
    "address",
    [
        "/api/projects/1",
        "/user/login",
        "/data/../api/projects",
        "/data/%2e%2e/api/users",
        "data/../../etc/passwd",
        "http://169.254.169.254/latest/meta-data/",
        "http://127.1/x.png",
        "http://2130706433/x.png",
        "http://[::1]/x.png",
        "http://[::ffff:127.0.0.1]/x.png",
        "http://10.0.0.7/x.png",
        "http://[::127.0.0.1]/x.png",
        "http://[2002:7f00:1::]/x.png",
        "http://[64:ff9b::10.0.0.1]/x.png",
        "http://elsewhere.example/x.png",
        "//elsewhere.example/x.png",
        "http://user:pass@elsewhere.example/x.png",
        "file:///etc/passwd",
        "ftp://elsewhere.example/x.png",
        "gopher://x",
        "javascript:alert(1)",
        "http://",
        "http://[",
        "",
        "data:text/html,<b>",
        "data:image/png;base64,@@",
        "data:image/png;base64," + base64.b64encode(b"<svg/>").decode(),
    ],
)
def test_what_is_not_allowed_is_refused_and_nobody_is_asked(vendor: Script, address: str) -> None:
    studio = vendor(SEEN)
    with pytest.raises(RequestInvalid) as raised:
        pictures(studio, label_studio_api_key=LEGACY, addresses=("127.0.0.1",)).fetch(address, Deadline.never())

    assert studio.asked == []
    assert LEGACY not in str(raised.value)


def test_another_port_of_label_studios_host_is_another_place(vendor: Script) -> None:
    studio, other = vendor(SEEN), vendor(SEEN)
    with pytest.raises(RequestInvalid, match="IMAGE_HOSTS"):
        pictures(studio, label_studio_api_key=LEGACY).fetch(f"{other.url}/data/upload/1/a.png", Deadline.never())

    assert other.asked == []


def test_a_listed_network_may_be_private_and_gets_no_token(vendor: Script) -> None:
    studio, store = vendor(SEEN), vendor(SEEN)
    source = pictures(studio, label_studio_api_key=LEGACY, image_hosts="127.0.0.0/8")

    assert source.fetch(f"{store.url}/x.png", Deadline.never()).data == PNG
    assert "authorization" not in store.asked[0].headers


def test_a_listed_host_that_turns_out_private_is_refused(vendor: Script) -> None:
    store = vendor(SEEN)
    source = pictures(None, image_hosts="pictures.example", addresses=("127.0.0.1",))
    with pytest.raises(RequestInvalid, match="private"):
        source.fetch(f"http://pictures.example:{store.port}/x.png", Deadline.never())

    assert store.asked == []


def test_the_address_that_was_checked_is_the_one_that_is_asked(vendor: Script) -> None:
    store = vendor(SEEN)
    answers = iter([["127.0.0.1"], ["192.0.2.1"]])
    settings = Settings(image_hosts="pictures.example, 127.0.0.0/8")
    source = ImageFetcher(settings, resolve=lambda _: next(answers))

    assert source.fetch(f"http://pictures.example:{store.port}/x.png?y=1", Deadline.never()).data == PNG
    assert store.asked[0].headers["host"] == f"pictures.example:{store.port}"
    assert store.paths == ["/x.png?y=1"]


def test_a_host_with_one_private_address_among_others_is_refused() -> None:
    source = pictures(None, image_hosts="pictures.example", addresses=("93.184.216.34", "10.0.0.1"))
    with pytest.raises(RequestInvalid, match="private"):
        source.fetch("http://pictures.example/x.png", Deadline.never())


@pytest.mark.parametrize("hidden", ["::ffff:10.0.0.1", "2002:a00:1::", "64:ff9b::a00:1", "::10.0.0.1", "fe80::1%eth0"])
def test_a_private_address_within_another_is_private(hidden: str) -> None:
    source = pictures(None, image_hosts="pictures.example", addresses=(hidden,))
    with pytest.raises(RequestInvalid, match="private"):
        source.fetch("http://pictures.example/x.png", Deadline.never())


def test_a_host_without_an_address_is_told() -> None:
    source = ImageFetcher(Settings(image_hosts="pictures.example"), resolve=lambda _: [])
    with pytest.raises(RequestInvalid, match="cannot be fetched"):
        source.fetch("http://pictures.example/x.png", Deadline.never())


def test_label_studio_below_a_path_is_asked_there(vendor: Script) -> None:
    studio = vendor(SEEN)
    source = ImageFetcher(Settings(label_studio_url=f"{studio.url}/studio/"))

    assert source.fetch("/data/upload/1/a.png", Deadline.never()).data == PNG
    assert studio.paths == ["/studio/data/upload/1/a.png"]


def test_no_redirect_is_followed(vendor: Script) -> None:
    other = vendor(SEEN)
    studio = vendor(Reply(302, headers=(("Location", f"{other.url}/x.png"),)))
    with pytest.raises(RequestInvalid, match="302"):
        pictures(studio, label_studio_api_key=LEGACY).fetch("/data/upload/1/a.png", Deadline.never())

    assert other.asked == []


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(body=PNG + b"x" * 20_000), "IMAGE_MAX_MB"),
        (Reply(body=b"<html>"), "no picture"),
        (Reply(404), "404"),
        (Reply(fault="reset"), "cannot be fetched"),
        (Reply(fault="half", body=PNG), "cannot be fetched"),
        (Reply(fault="hang"), "IMAGE_TIMEOUT_S"),
        (Reply(fault="dribble", body=PNG), "IMAGE_TIMEOUT_S"),
    ],
)
def test_what_comes_too_large_too_late_or_broken_is_refused(vendor: Script, reply: Reply, reason: str) -> None:
    with pytest.raises(RequestInvalid, match=reason):
        pictures(vendor(reply), image_max_mb=0.01, image_timeout_s=0.3).fetch("/data/upload/1/a.png", Deadline.never())


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF1234WEBP", "image/webp"),
    ],
)
def test_a_picture_in_the_data_itself_is_read(data: bytes, kind: str) -> None:
    address = f"data:image/whatever;base64,{base64.b64encode(data).decode()}"

    assert pictures(None).fetch(address, Deadline.never()).media_type == kind


def test_a_picture_in_the_data_has_the_same_limit() -> None:
    with pytest.raises(RequestInvalid, match="IMAGE_MAX_MB"):
        pictures(None, image_max_mb=0.01).fetch("data:image/png;base64," + "A" * 20_000, Deadline.never())


def test_many_at_once_are_fetched(vendor: Script) -> None:
    source = pictures(vendor(SEEN), label_studio_api_key=LEGACY)
    made: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: made.append(source.fetch("/data/upload/1/a.png", Deadline.never()).data))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert made == [PNG] * 8


@pytest.mark.parametrize("address", ["/data/upload/1/a.png", "data:image/png;base64,iVBORw0KGgo="])
def test_after_the_deadline_nothing_is_fetched(vendor: Script, address: str) -> None:
    studio = vendor(SEEN)

    with pytest.raises(DeadlineExceeded):
        pictures(studio, label_studio_api_key=LEGACY).fetch(address, Deadline.after(-1))
    assert studio.asked == []
