"""`/api/v1/access/people`: who logs in, with which role; and the roles themselves."""

from secrets import token_urlsafe
from typing import Annotated, Any

from litestar import Request, Response, get, patch, post
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import JSONBody, PathParameter
from msgspec import Meta, Struct

from api.access.desk import Desk
from api.access.keys import ADMIN, ERRORS, NO_STORE
from api.access.passwords import LONGEST, SHORTEST, weakness
from api.kernel.access import KNOWN, ROLES, actor, address_of
from api.kernel.errors import invalid, responses
from sql.access import Author, Person, Role

NAME = r"^[a-z0-9][a-z0-9._-]{1,63}$"
Password = Annotated[str, Meta(min_length=SHORTEST, max_length=LONGEST)]
PersonName = Annotated[str, PathParameter(pattern=NAME, description="The name that logs in")]


class NewPerson(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who shall log in. Without a password one is made, and answered once."""

    name: Annotated[str, Meta(pattern=NAME, description="Lower case letters, digits, dots and dashes")]
    role: Role
    password: Password | None = None


class Change(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall change. Another password, or `active: false`, ends all sessions."""

    role: Role | None = None
    active: bool | None = None
    password: Password | None = None


class PersonAnswer(Struct, frozen=True, kw_only=True):
    """Somebody who logs in; `password` only when it was made here."""

    success: bool = True
    data: Person
    password: str | None = None


class PeopleList(Struct, frozen=True, kw_only=True):
    """All people, by name."""

    success: bool = True
    data: list[Person]


@get("/api/v1/access/people", opt=ADMIN, tags=["access"], summary="People who log in", responses=ERRORS)
async def list_people(desk: NamedDependency[Desk]) -> PeopleList:
    """With their roles; never a password."""
    return PeopleList(data=await desk.register.people())


@post("/api/v1/access/people", opt=ADMIN, tags=["access"], summary="Add a person", responses=ERRORS | responses(409))
async def add_person(
    request: Request[Any, Any, Any], data: JSONBody[NewPerson], desk: NamedDependency[Desk]
) -> Response[PersonAnswer]:
    """A name is given once."""
    password = data.password or token_urlsafe(15)
    _check(password, data.name)
    hashed = await desk.passwords.hashed(password)
    by = Author(actor(request), address_of(request))
    person = await desk.register.add_person(data.name, data.role, hashed, by)
    answer = PersonAnswer(data=person, password=None if data.password else password)
    return Response(answer, status_code=201, headers=NO_STORE)


@patch(
    "/api/v1/access/people/{name:str}",
    opt=ADMIN,
    tags=["access"],
    summary="Change role, access or password",
    responses=ERRORS | responses(404),
)
async def change_person(
    request: Request[Any, Any, Any], name: PersonName, data: JSONBody[Change], desk: NamedDependency[Desk]
) -> PersonAnswer:
    """Counts everywhere within two seconds, for sessions that are open too."""
    if data == Change():
        raise invalid("body", "expected role, active or password")
    if data.password is not None:
        _check(data.password, name)
    hashed = await desk.passwords.hashed(data.password) if data.password is not None else None
    by = Author(actor(request), address_of(request))
    person = await desk.register.change_person(name, by, role=data.role, active=data.active, password_hash=hashed)
    if person is None:
        raise NotFoundException(f"there is nobody named {name}")
    return PersonAnswer(data=person)


@get("/api/v1/access/roles", opt=KNOWN, tags=["access"], summary="Roles and their scopes", responses=responses(401))
async def list_roles() -> dict[str, Any]:
    """`*` before the colon stands for every service but orders, risk and access; `*:read` holds orders and risk too."""
    return {"success": True, "data": {role: sorted(scopes) for role, scopes in ROLES.items()}}


@post(
    "/api/v1/access/token-keys",
    opt=ADMIN,
    tags=["access"],
    summary="Sign tokens with a new key",
    responses=ERRORS,
)
async def rotate_token_key(request: Request[Any, Any, Any], desk: NamedDependency[Desk]) -> dict[str, Any]:
    """Tokens of the old one hold until they are over, an hour at most."""
    made = desk.tokens.rotate()
    await desk.register.note("token-key.rotated", f"token key {made}", Author(actor(request), address_of(request)))
    return {"success": True, "data": {"id": made}}


def _check(password: str, name: str) -> None:
    if why := weakness(password, name):
        raise invalid("password", why)
