"""Asks addresses that others named, without being led into this machine or its network.

The address that was checked is the one that is connected to, so a name cannot change its mind in between (DNS
rebinding), and every hop of a redirect is checked like the first.
"""

import socket
from collections.abc import Awaitable, Callable, Collection

import anyio
import httpx

from api.kernel.targets import RefusedTargetError, Target, check_public, target_of

RESOLVE_SECONDS = 3.0
MAX_REDIRECTS = 5

Resolve = Callable[[str, int], Awaitable[list[str]]]


class UnresolvedError(Exception):
    """A name that has no address now. The message names it."""


async def addresses_of(host: str, port: int) -> list[str]:
    """Every address of a name, in the resolver's order. Raises UnresolvedError."""
    try:
        with anyio.fail_after(RESOLVE_SECONDS):
            found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError) as error:
        raise UnresolvedError(f"{host} has no address") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Door(httpx.AsyncBaseTransport):
    """Lets requests out to the public Internet, and to the `allowed` places (`host:port`) of the operator.

    Raises RefusedTargetError, UnresolvedError and what httpx raises.
    """

    def __init__(
        self,
        allowed: Collection[str] = (),
        *,
        resolve: Resolve = addresses_of,
        beyond: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._allowed = frozenset(place.lower() for place in allowed)
        self._resolve = resolve
        self._beyond = beyond or httpx.AsyncHTTPTransport(trust_env=False)

    async def checked(self, url: str) -> tuple[Target, list[str]]:
        """The target of `url` and the addresses it may be reached at. Raises RefusedTargetError, UnresolvedError."""
        target = target_of(url)
        if target.place in self._allowed:
            return target, [target.host]
        check_public(target)
        if target.address is not None:
            return target, [target.host]
        addresses = await self._resolve(target.host, target.port)
        check_public(target, addresses)
        return target, addresses

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Connect to a checked address; name and certificate stay those of the host."""
        target, addresses = await self.checked(str(request.url))
        headers = [(name, value) for name, value in request.headers.raw if name.lower() != b"host"]
        written = target.url.split("/", 3)[2]
        failed: httpx.ConnectError | httpx.ConnectTimeout | None = None
        for address in addresses:
            pinned = httpx.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=[(b"Host", written.encode()), *headers],
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": target.host},
            )
            try:
                return await self._beyond.handle_async_request(pinned)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failed = error
        raise failed or httpx.ConnectError(f"{target.host} has no address")

    async def aclose(self) -> None:
        """Let go of connections."""
        await self._beyond.aclose()


def guarded(allowed: Collection[str] = (), *, timeout_seconds: float) -> httpx.AsyncClient:
    """A client whose every request, redirects included, passes the door."""
    return httpx.AsyncClient(
        transport=Door(allowed),
        timeout=timeout_seconds,
        follow_redirects=True,
        max_redirects=MAX_REDIRECTS,
        trust_env=False,
    )


__all__ = ["Door", "RefusedTargetError", "UnresolvedError", "addresses_of", "guarded"]
