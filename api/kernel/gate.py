"""Who may call: loopback without a key may read; foreign web pages, foreign names and other machines may not.

Without a key we believe that a caller is on this machine, so two doors are kept shut: a web page whose host name was
rebound to 127.0.0.1 (Host check) and a foreign page that sends requests through the user's browser (Origin check).
"""

import base64
import hmac
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any
from urllib.parse import urlsplit

from litestar.config.cors import CORSConfig
from litestar.enums import ScopeType
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException, WebSocketException
from litestar.types import ASGIApp, Receive, Scope, Send

from api.kernel import callers, sessions
from api.kernel.access import INSTALLATION, LOOPBACK, Caller
from api.kernel.allowed import while_allowed
from api.kernel.directory import Directory
from api.kernel.headers import sent
from api.kernel.limits import Windows
from config.settings import Access, Allowance, Settings, SettingsError
from sql.errors import StoreUnavailableError

REMEDY = "send it as `X-API-Key` or `Authorization: Bearer`"
TRY_AGAIN = 1013  # WebSocket: later
EXPOSED = (
    "x-correlation-id",
    "x-tier",
    "x-next-cursor",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "retry-after",
    "etag",
    "location",
    "content-disposition",
    "idempotency-replayed",
)
TAKEN = (
    "Content-Type",
    "Authorization",
    "X-API-Key",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "X-CSRF-Token",
    "x-user-id",
    "x-correlation-id",
)
AGAIN_SECONDS = 30.0  # between looks at whether the one who opened a WebSocket may still listen
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF, CALLER = sessions.CSRF_HEADER.encode(), callers.HEADER.encode()
LOOKED_AT = frozenset({b"host", b"origin", b"x-api-key", b"authorization", b"cookie", CSRF, CALLER})
STRANGERS = "keys not known"  # what is counted of each address beside the requests of services


class Gate:
    """Lets a request through or raises 401 or 403; tells handlers who came in `scope["auth"]` (a Caller, or None)."""

    def __init__(self, access: Access, directory: Directory, windows: Windows, allowed: Allowance) -> None:
        if access.key_needed and not access.api_key:
            raise SettingsError(
                f"TRADINGSYSTEM_BIND={access.bind}, TRADINGSYSTEM_ACCESS={access.mode}: every caller needs a key then, "
                "but TRADINGSYSTEM_API_KEY is not set; `tradingsystem up` makes one"
            )
        self._access = access
        self._directory = directory
        self._windows, self._allowed = windows, allowed
        self._origins = frozenset(origin.strip().rstrip("/") for origin in access.cors_origin.split(","))

    def __call__(self, app: ASGIApp) -> ASGIApp:
        """The layer around `app`."""

        async def checked(scope: Scope, receive: Receive, send: Send) -> None:
            await self.handle(scope, receive, send, app)

        return checked

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Check, then pass on."""
        if scope["type"] == ScopeType.WEBSOCKET:
            await self._listening(scope, receive, send, next_app)
            return
        scope["auth"] = await self._caller(scope)
        await next_app(scope, receive, send)

    async def _listening(self, scope: Scope, receive: Receive, send: Send, app: ASGIApp) -> None:
        try:
            caller = scope["auth"] = await self._caller(scope)
        except StoreUnavailableError as error:
            raise WebSocketException(detail="keys cannot be checked now", code=TRY_AGAIN) from error
        except (NotAuthorizedException, PermissionDeniedException) as error:
            raise WebSocketException(detail=error.detail, code=4000 + error.status_code) from error
        if caller is None or caller.kind == "installation":
            await app(scope, receive, send)
            return
        still = partial(self._still, caller, scope["route_handler"].opt)
        if not await while_allowed(app(scope, receive, send), still, AGAIN_SECONDS):
            raise WebSocketException(detail=f"{caller.name} may not go on: key, session or role has changed", code=4401)

    async def _still(self, caller: Caller, opt: Mapping[str, Any]) -> bool:
        """Whether somebody who is in may stay; while nobody can tell, who is in stays."""
        try:
            found = await self._directory.subject(sessions.subject_for(caller))
        except StoreUnavailableError:
            return True
        return found is not None and _allowed(found, opt)

    async def _caller(self, scope: Scope) -> Caller | None:
        headers = sent(scope, LOOKED_AT)
        if CALLER in headers:
            self._take_over(scope, headers[CALLER])
        self._check_host(headers.get(b"host", ""))
        writes = scope["type"] == ScopeType.WEBSOCKET or scope["method"] not in SAFE
        foreign = b"origin" in headers and self._foreign(headers[b"origin"], headers.get(b"host", ""))
        if foreign and writes:
            raise PermissionDeniedException(
                f"pages of {headers[b'origin']} may not call this service; add the origin to CORS_ORIGIN if it is yours"
            )
        opt = scope["route_handler"].opt
        if opt.get("access") == "open" or scope.get("method") == "OPTIONS":  # what a path takes is no secret
            return None
        browser = opt.get("access") == "browser"
        asks = writes and scope["type"] == ScopeType.HTTP and not browser
        key, caller = _key(headers, browser=browser), None
        if key is not None:
            caller = await self._named(key, scope, browser=browser)
        elif b"cookie" in headers:
            caller = await self._in_session(scope["path"], headers, asks=asks)
        if caller is not None:
            _check_scope(caller, opt)
        elif opt.get("always"):
            raise _unauthorized(f"this always needs a key: {REMEDY}", browser=browser)
        elif self._access.key_needed or foreign:
            raise _unauthorized(f"a key is needed: {REMEDY}", browser=browser)
        return caller

    def _take_over(self, scope: Scope, header: str) -> None:
        """The gateway asks for somebody else: limits and audits are about that one."""
        client, key = scope.get("client"), self._access.api_key
        if key and client and client[0] in LOOPBACK and (address := callers.told(header, key)):
            scope["client"] = (address, client[1])

    async def _named(self, key: str, scope: Scope, *, browser: bool) -> Caller:
        expected = self._access.api_key
        if expected is not None and hmac.compare_digest(key.encode(), expected.encode()):
            return INSTALLATION
        if self._directory.strange(key):  # each costs a look-up, and there is no end of keys
            client = scope.get("client")
            self._windows.taken(STRANGERS, client[0] if client else "", self._allowed, what=STRANGERS)
        found = await (self._directory.bearer(key) if key.count(".") == 2 else self._directory.holder(key))
        if found is None:
            raise _unauthorized("this key is not known here, or has ended", browser=browser)
        return found

    async def _in_session(self, path: str, headers: Mapping[bytes, str], *, asks: bool) -> Caller | None:
        """The holder of a browser's session; what changes something must prove that a page of ours `asks` it."""
        key, held = self._access.api_key, headers[b"cookie"]
        subject = sessions.subject_of(held, key, path) if key and held else None
        if key is None or subject is None:
            return None
        found = INSTALLATION if subject == sessions.INSTALLATION else await self._directory.subject(subject)
        token = headers.get(CSRF, "")
        if found is not None and asks and not sessions.csrf_holds(key, subject, token):
            raise PermissionDeniedException(
                "a session that changes something sends `X-CSRF-Token`, as the login gave it"
            )
        return found

    def _check_host(self, host: str) -> None:
        name, allowed = name_of(host), self._access.hosts
        if self._access.key_needed:
            if allowed and name not in (LOOPBACK | allowed):
                raise PermissionDeniedException(
                    f"this service does not answer to the name {host!r}; it is not in TRADINGSYSTEM_ALLOWED_HOSTS"
                )
        elif name not in LOOPBACK:
            raise PermissionDeniedException(
                f"this service answers to 127.0.0.1 and localhost, not to {host or 'a request without Host'!r}; "
                "for other names set TRADINGSYSTEM_ACCESS=required"
            )

    def _foreign(self, origin: str, host: str) -> bool:
        if origin.rstrip("/") in self._origins:
            return False
        try:
            place = urlsplit(origin).netloc
        except ValueError:  # no address at all
            return True
        own = place.lower() == host.lower()
        return not own and name_of(place) not in LOOPBACK


def cors(settings: Settings) -> CORSConfig | None:
    """Any origin in development, the list of CORS_ORIGIN in production.

    Any origin comes without credentials: a page from anywhere may show what its user has a key for, but never rides
    on a session of another page.
    """
    if settings.access.disable_cors:
        return None
    methods: list[Any] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    if settings.environment == "development":
        return CORSConfig(allow_origins=["*"], allow_methods=methods, allow_headers=["*"], expose_headers=list(EXPOSED))
    return CORSConfig(
        allow_origins=[origin.strip().rstrip("/") for origin in settings.access.cors_origin.split(",")],
        allow_methods=methods,
        allow_headers=list(TAKEN),
        allow_credentials=True,
        expose_headers=list(EXPOSED),
    )


def _check_scope(caller: Caller, opt: Mapping[str, Any]) -> None:
    """A handler without a scope answers only holders of everything: what is forgotten stays shut."""
    if not _allowed(caller, opt):
        raise PermissionDeniedException(f"{caller.name} may not do this: it needs the scope {_wanted(opt)}")


def _allowed(caller: Caller, opt: Mapping[str, Any]) -> bool:
    return opt.get("access") in ("forwarded", "known") or caller.may(_wanted(opt))


def _wanted(opt: Mapping[str, Any]) -> str:
    return str(opt.get("scope", "undeclared:admin"))


@lru_cache(1024)
def name_of(netloc: str) -> str:
    """The host name in `name:port`, lower case, without the brackets of IPv6; empty when there is none."""
    try:
        return (urlsplit(f"//{netloc}").hostname or "").lower()
    except ValueError:
        return ""


def _key(headers: Mapping[bytes, str], *, browser: bool) -> str | None:
    if key := headers.get(b"x-api-key"):
        return key
    if b"authorization" not in headers:
        return None
    scheme, _, token = headers[b"authorization"].partition(" ")
    if browser and scheme.lower() == "basic":
        return _password(token)
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def _password(token: str) -> str:
    try:
        return base64.b64decode(token, validate=True).decode().partition(":")[2]  # whatever the user's name is
    except ValueError:  # not base64, not ASCII, not UTF-8
        return ""


def _unauthorized(detail: str, *, browser: bool = False) -> NotAuthorizedException:
    challenge = 'Basic realm="tradingsystem: the key as password", charset="UTF-8"'
    headers = {"WWW-Authenticate": challenge if browser else 'Bearer realm="tradingsystem"'}
    return NotAuthorizedException(detail, headers=headers)
