"""`/api/v1/auth`: people log in, renew their tokens and log out; anybody asks who he is here.

Programs get two tokens. Pages ask for a cookie instead, which no script reads, and a word that they send beside it.
"""

import uuid
from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.params import JSONBody
from msgspec import Meta, Struct

from api.access.desk import Desk, Login
from api.access.passwords import LONGEST, SHORTEST, weakness
from api.kernel import sessions
from api.kernel.access import KNOWN, OPEN, Kind, address_of, caller_in
from api.kernel.errors import invalid, responses
from api.kernel.tokens import ACCESS_SECONDS
from sql.access import Author

Secret = Annotated[str, Meta(min_length=1, max_length=LONGEST)]


class Credentials(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name and password. `cookie` is for pages: the session then lies in a cookie, and no token is answered."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    password: Secret
    cookie: bool = False


class Renewal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A refresh token, good once."""

    refresh_token: Annotated[str, Meta(min_length=1, max_length=200)]


class NewPassword(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The old password, and the one that follows."""

    old_password: Secret
    new_password: Annotated[str, Meta(min_length=SHORTEST, max_length=LONGEST)]


class LoggedIn(Struct, frozen=True, kw_only=True, rename="camel"):
    """Send `accessToken` as `Authorization: Bearer`; or, with a cookie, `csrfToken` as `X-CSRF-Token`."""

    success: bool = True
    name: str
    role: str
    token_type: str = "Bearer"  # noqa: S105 - a word of OAuth
    expires_in: int = ACCESS_SECONDS
    access_token: str | None = None
    refresh_token: str | None = None
    csrf_token: str | None = None


class Myself(Struct, frozen=True, kw_only=True):
    """Who a key or a token makes of its holder. `source` binds a key to fewer rights than its scopes give."""

    success: bool = True
    name: str
    kind: Kind
    scopes: list[str]
    source: str | None


@post(
    "/api/v1/auth/login",
    opt=OPEN,
    status_code=200,
    tags=["access"],
    summary="Log in",
    responses=responses(400, 401, 403, 429, 503),
)
async def log_in(
    request: Request[Any, Any, Any],
    data: JSONBody[Credentials],
    desk: NamedDependency[Desk],
    installation_key: NamedDependency[str | None],
) -> Response[LoggedIn]:
    """A session of twelve hours. After five failures from one address a name waits for a quarter of an hour."""
    if data.cookie and installation_key is None:
        raise invalid("cookie", "sessions of pages need TRADINGSYSTEM_API_KEY; `tradingsystem up` makes one")
    login = await desk.log_in(data.name, data.password, address_of(request))
    if not data.cookie or installation_key is None:
        return _tokens(login)
    subject = f"person.{login.session}"
    said = LoggedIn(
        name=login.name,
        role=login.role,
        token_type="Cookie",  # noqa: S106 - says where the session lies
        expires_in=sessions.SECONDS,
        csrf_token=sessions.csrf_token(installation_key, subject),
    )
    secure = request.scope["scheme"] == "https"
    return Response(
        said, headers={"Set-Cookie": sessions.cookie(installation_key, "/", subject, secure=secure), **KEEP}
    )


@post(
    "/api/v1/auth/refresh",
    opt=OPEN,
    status_code=200,
    tags=["access"],
    summary="Renew tokens",
    responses=responses(400, 401, 403, 409, 429, 503),
)
async def refresh(
    request: Request[Any, Any, Any], data: JSONBody[Renewal], desk: NamedDependency[Desk]
) -> Response[LoggedIn]:
    """Both tokens anew. A refresh token that comes a second time ends the session: one of its holders stole it."""
    return _tokens(await desk.refresh(data.refresh_token, address_of(request)))


@post(
    "/api/v1/auth/logout",
    opt=KNOWN,
    status_code=200,
    tags=["access"],
    summary="Log out",
    responses=responses(400, 401, 403, 503),
)
async def log_out(request: Request[Any, Any, Any], desk: NamedDependency[Desk]) -> Response[dict[str, bool]]:
    """Ends the session that the request belongs to, with all its tokens."""
    caller = _person(request)
    await desk.register.end_session(uuid.UUID(caller.id), Author(caller.name, address_of(request)))
    return Response({"success": True}, headers={"Set-Cookie": sessions.forgotten("/")})


@post(
    "/api/v1/auth/password",
    opt=KNOWN,
    status_code=200,
    tags=["access"],
    summary="Change one's password",
    responses=responses(400, 401, 403, 429, 503),
)
async def change_password(
    request: Request[Any, Any, Any], data: JSONBody[NewPassword], desk: NamedDependency[Desk]
) -> dict[str, bool]:
    """Ends all sessions of the person, this one too."""
    caller = _person(request)
    if why := weakness(data.new_password, caller.name):
        raise invalid("newPassword", why)
    await desk.proven(caller.name, data.old_password, address_of(request))
    made = await desk.passwords.hashed(data.new_password)
    await desk.register.change_person(caller.name, Author(caller.name, address_of(request)), password_hash=made)
    return {"success": True}


@get("/api/v1/auth/me", opt=KNOWN, tags=["access"], summary="Who one is here", responses=responses(401, 503))
async def me(request: Request[Any, Any, Any]) -> Myself:
    """Name, kind and scopes of the key or token that was sent."""
    caller = caller_in(request)
    assert caller is not None, "the gate lets nobody in here without a name"
    return Myself(name=caller.name, kind=caller.kind, scopes=sorted(caller.scopes), source=caller.source)


KEEP = {"Cache-Control": "no-store"}


def _tokens(login: Login) -> Response[LoggedIn]:
    said = LoggedIn(
        name=login.name, role=login.role, access_token=login.access_token, refresh_token=login.refresh_token
    )
    return Response(said, headers=KEEP)


def _person(request: Request[Any, Any, Any]) -> Any:
    caller = caller_in(request)
    if caller is None or caller.kind != "person":
        raise HTTPException("this is for people who logged in; a key has no session and no password", status_code=400)
    return caller
