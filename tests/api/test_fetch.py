"""Addresses that others name: of one reading, of the public Internet, and still so when they are connected to."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.kernel.fetch import Door, UnresolvedError, guarded
from api.kernel.targets import RefusedTargetError, check_public, public, target_of
from tests.api.refused_targets import PASSING, REFUSED


def refusal(url):
    try:
        check_public(target_of(url))
    except RefusedTargetError as error:
        return str(error)
    return None


def test_two_hundred_and_more_tricks_are_refused():
    assert len(set(REFUSED)) >= 200
    assert [url for url in REFUSED if refusal(url) is None] == []


def test_plain_addresses_pass_and_are_written_anew():
    assert {url: target_of(url).url for url in PASSING} == PASSING
    assert [refusal(url) for url in PASSING] == [None] * len(PASSING)


@given(st.text(max_size=60) | st.text(max_size=40).map("http://{}/".format))
def test_any_text_is_refused_or_has_one_reading(text):
    try:
        target = target_of(text)
    except RefusedTargetError:
        return
    assert target_of(target.url) == target
    assert target.url.isascii()
    assert httpx.URL(target.url).raw_host == target.host.encode()  # what asks reads it as we do


@given(st.ip_addresses())
def test_an_address_is_public_only_when_python_says_so_too(address):
    assert not public(str(address)) or address.is_global


class Inner(BaseHTTPRequestHandler):
    """A service of this machine that nobody outside may reach; it can send a caller on."""

    seen: list[tuple[str, str]]

    def do_GET(self):
        self.seen.append((self.path, self.headers["Host"]))
        moved = self.path.startswith("/to/")
        self.send_response(302 if moved else 200)
        if moved:
            self.send_header("Location", self.path.removeprefix("/to/"))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def inner() -> Iterator[ThreadingHTTPServer]:
    handler = type("Seen", (Inner,), {"seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def asked(url, *, allowed=(), answers=(), on_the_way=None):
    """What the guarded client gets; names resolve to `answers`, one list a question."""
    left = [list(addresses) for addresses in answers]

    async def resolve(host, port):
        return left.pop(0)

    async def story():
        async with guarded(allowed, timeout_seconds=5) as client:
            client._transport = Door(allowed, resolve=resolve, beyond=on_the_way)
            return await client.get(url)

    return asyncio.run(story())


def test_a_name_that_leads_inside_is_refused(inner):
    for inside in ("127.0.0.1", "10.0.0.1", "::1", "fe80::1%eth0", "::ffff:127.0.0.1"):
        with pytest.raises(RefusedTargetError):
            asked(f"http://example.com:{inner.server_port}/", answers=[["93.184.215.14", inside]])
    assert inner.RequestHandlerClass.seen == []


def test_the_address_that_was_checked_is_the_one_connected_to(inner):
    """A name that is public when it is asked and loopback a moment later (DNS rebinding)."""
    connected = []

    class Network(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            connected.append((request.url.host, request.headers["host"], request.extensions["sni_hostname"]))
            return httpx.Response(200)

    asked("https://example.com/a", answers=[["93.184.215.14"], ["127.0.0.1"]], on_the_way=Network())

    assert connected == [("93.184.215.14", "example.com", "example.com")]


def test_the_second_address_is_tried_when_the_first_does_not_answer():
    connected = []

    class Network(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            connected.append(request.url.host)
            if request.url.host == "2606:4700::1":
                raise httpx.ConnectError("no route")
            return httpx.Response(200)

    asked("https://example.com/a", answers=[["2606:4700::1", "93.184.215.14"]], on_the_way=Network())

    assert connected == ["2606:4700::1", "93.184.215.14"]


def test_what_the_operator_allows_is_reached_and_nothing_beside_it(inner):
    place = f"127.0.0.1:{inner.server_port}"

    assert asked(f"http://{place}/health", allowed=[place]).status_code == 200
    with pytest.raises(RefusedTargetError):
        asked(f"http://127.0.0.1:{inner.server_port + 1}/", allowed=[place])
    assert inner.RequestHandlerClass.seen == [("/health", place)]


def test_every_hop_of_a_redirect_is_checked(inner):
    place = f"127.0.0.1:{inner.server_port}"
    for onward in ("http://169.254.169.254/latest/meta-data/", "http://localhost:1/", "file:///etc/passwd"):
        with pytest.raises((RefusedTargetError, httpx.UnsupportedProtocol)):
            asked(f"http://{place}/to/{onward}", allowed=[place])
    assert asked(f"http://{place}/to/http://{place}/there", allowed=[place]).status_code == 200


def test_a_name_without_an_address_is_said_so():
    async def story():
        return await Door().checked("http://no-such-name.invalid/")

    with pytest.raises((UnresolvedError, RefusedTargetError)):
        asyncio.run(story())
