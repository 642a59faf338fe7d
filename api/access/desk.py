"""The desk where people log in: name and password against a session, a session against tokens or a cookie."""

import re
import uuid
from secrets import token_urlsafe
from typing import NoReturn

import structlog
from litestar.exceptions import HTTPException, NotAuthorizedException, TooManyRequestsException
from msgspec import Struct

from api.access.passwords import Passwords
from api.access.throttle import Throttle
from api.kernel.directory import digest
from api.kernel.tokens import Bearer, Tokens
from sql.access import Author, Person, Register

SESSION_SECONDS = 12 * 3600
PREFIX = "tsr_"
SHAPE = re.compile(rf"^{PREFIX}([0-9a-f]{{32}})_[A-Za-z0-9_-]{{43}}$")

log = structlog.get_logger("api.access")


class Login(Struct, frozen=True):
    """What a login or a refresh gives: a session, its access token, and the next refresh token."""

    session: uuid.UUID
    name: str
    role: str
    access_token: str
    refresh_token: str


class Desk:
    """Opens, renews and ends sessions. Nothing that it says tells whether a name is known."""

    def __init__(self, register: Register, tokens: Tokens, passwords: Passwords, throttle: Throttle) -> None:
        self.register = register
        self.tokens = tokens
        self.passwords = passwords
        self._throttle = throttle

    async def log_in(self, name: str, password: str, address: str | None) -> Login:
        """Open a session. Raises NotAuthorizedException; TooManyRequestsException before the password is looked at."""
        person = await self.proven(name, password, address)
        session = uuid.uuid4()
        refresh_token = _refresh_token(session)
        by = Author(person.name, address)
        await self.register.begin_session(session, person, digest(refresh_token), SESSION_SECONDS, by)
        return self._given(session, str(person.id), person.name, person.role, refresh_token)

    async def proven(self, name: str, password: str, address: str | None) -> Person:
        """The person with this name and password; each failure counts against name and address."""
        where = address or "unknown"
        if seconds := self._throttle.wait(name, where):
            raise TooManyRequestsException(
                f"too many logins failed; try again in {seconds} s", headers={"Retry-After": str(seconds)}
            )
        self._throttle.tried(name, where)
        found = await self.register.person(name)
        fits = await self.passwords.fits(password, found[1] if found else None)
        if found is None or not fits or not found[0].active:
            log.warning("login_failed", name=name[:64], address=where)
            _refuse("name or password is wrong")
        self._throttle.succeeded(name, where)
        return found[0]

    async def refresh(self, refresh_token: str, address: str | None) -> Login:
        """Exchange a refresh token; each is good once. Raises NotAuthorizedException, HTTPException 409."""
        shape = SHAPE.match(refresh_token)
        if shape is None:
            _refuse("this refresh token is not known here, or has ended")
        session = uuid.UUID(shape[1])
        renewed = _refresh_token(session)
        result, row = await self.register.refresh(
            session, digest(refresh_token), digest(renewed), Author("refresh", address)
        )
        if result == "just now":
            raise HTTPException("this refresh token was exchanged a moment ago: use its heir", status_code=409)
        if result == "spent":
            log.warning("refresh_token_spent", session=str(session), address=address)
        if row is None:
            _refuse("this refresh token is not known here, or has ended")
        return self._given(session, str(row["person"]), row["name"], row["role"], renewed)

    def _given(self, session: uuid.UUID, person: str, name: str, role: str, refresh_token: str) -> Login:
        token = self.tokens.issue(Bearer(person, session), name, role)
        return Login(session, name, role, token, refresh_token)


def _refresh_token(session: uuid.UUID) -> str:
    return f"{PREFIX}{session.hex}_{token_urlsafe(32)}"


def _refuse(why: str) -> NoReturn:
    raise NotAuthorizedException(why, headers={"WWW-Authenticate": 'Bearer realm="tradingsystem"'})
