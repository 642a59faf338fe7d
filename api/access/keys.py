"""`/api/v1/access/keys`: keys of programs. A key is shown once, when it is made; only its digest is kept."""

import datetime as dt
from typing import Annotated, Any

from litestar import Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Meta, Struct

from api.kernel.access import ROLES, SCOPE, actor, address_of, denied, scoped
from api.kernel.directory import digest, made_key
from api.kernel.errors import invalid, responses
from sql.access import Author, Bound, Deed, Key, NewKey, Register, Role

ADMIN = scoped("access:admin", always=True)
ERRORS = responses(400, 401, 403, 429, 503)
NO_STORE = {"Cache-Control": "no-store"}

KeyId = Annotated[str, PathParameter(pattern="^[a-z0-9]{12}$", description="As the list names it")]
Name = Annotated[str, Meta(pattern=r"^\S(.*\S)?$", max_length=64)]


class KeyRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What a key shall be. Its scopes, or those of a role; a `source` binds it to fewer rights."""

    name: Name
    scopes: Annotated[list[str], Meta(max_length=64)] = []
    role: Role | None = None
    source: Bound | None = None
    expires_at: dt.datetime | None = None


class KeyList(Struct, frozen=True, kw_only=True):
    """All keys, the newest first, those that ended too."""

    success: bool = True
    data: list[Key]


class MadeKey(Struct, frozen=True, kw_only=True):
    """`key` is not kept and cannot be shown again."""

    success: bool = True
    key: str
    data: Key


class Deeds(Struct, frozen=True, kw_only=True):
    """Lines of the audit, the newest first."""

    success: bool = True
    data: list[Deed]


@get("/api/v1/access/keys", opt=ADMIN, tags=["access"], summary="Keys of programs", responses=ERRORS)
async def list_keys(register: NamedDependency[Register]) -> KeyList:
    """With scopes, source, last use and end; never the key."""
    return KeyList(data=await register.keys())


@post("/api/v1/access/keys", opt=ADMIN, tags=["access"], summary="Make a key", responses=ERRORS | responses(409))
async def create_key(
    request: Request[Any, Any, Any], data: JSONBody[KeyRequest], register: NamedDependency[Register]
) -> Response[MadeKey]:
    """The only time that the key is shown. A name is given to one valid key at a time."""
    scopes = _scopes(data)
    _check_end(data.expires_at)
    key_id, key = made_key()
    new = NewKey(
        id=key_id, name=data.name, hash=digest(key), scopes=scopes, source=data.source, expires_at=data.expires_at
    )
    kept = await register.create_key(new, Author(actor(request), address_of(request)))
    return Response(MadeKey(key=key, data=kept), status_code=201, headers=NO_STORE)


@delete(
    "/api/v1/access/keys/{key:str}",
    opt=ADMIN,
    status_code=200,
    tags=["access"],
    summary="Revoke a key",
    responses=ERRORS | responses(404),
)
async def revoke_key(
    request: Request[Any, Any, Any], key: KeyId, register: NamedDependency[Register]
) -> dict[str, bool]:
    """For good, and everywhere within two seconds."""
    if not await register.revoke_key(key, Author(actor(request), address_of(request))):
        raise NotFoundException(f"there is no valid key {key}")
    return {"success": True}


@get("/api/v1/access/audit", opt=ADMIN, tags=["access"], summary="What was changed about access", responses=ERRORS)
async def list_audit(
    register: NamedDependency[Register],
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    before: Annotated[int, QueryParameter(ge=1, le=2**62, description="Lines older than this id")] = 2**62,
) -> Deeds:
    """Who, when, what, from, to, and from which address."""
    return Deeds(data=await register.audit(limit, before))


def _scopes(data: KeyRequest) -> list[str]:
    """The scopes of a new key. Raises InvalidRequestError."""
    if bool(data.scopes) == (data.role is not None):
        raise invalid("scopes", f"expected scopes, or one role of {', '.join(ROLES)}")
    scopes = sorted({*data.scopes, *(ROLES[data.role] if data.role else ())})
    for scope in scopes:
        if not SCOPE.match(scope):
            raise invalid("scopes", f"expected <service>:<read|write|delete|admin>, or * for either, found {scope!r}")
        if denied(data.source, scope):
            raise invalid("scopes", f"a key of source {data.source} never has {scope}")
    return scopes


def _check_end(end: dt.datetime | None) -> None:
    if end is not None and (end.tzinfo is None or end <= dt.datetime.now(dt.UTC)):
        raise invalid("expiresAt", f"expected an instant to come, with its zone, found {end.isoformat()}")
