"""What the gateway gets for people and keys: handlers, and the desk behind them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar

from api.access import keys, logins, people
from api.access.desk import Desk
from api.access.passwords import Passwords
from api.access.throttle import Throttle
from api.kernel.application import Service
from api.kernel.tokens import Tokens
from config.settings import Settings
from sql.access import DATABASE, REGISTER_ROLE, Register
from sql.pool import Pool

ID = "access"
HANDLERS = [
    logins.log_in,
    logins.refresh,
    logins.log_out,
    logins.change_password,
    logins.me,
    keys.list_keys,
    keys.create_key,
    keys.revoke_key,
    keys.list_audit,
    people.list_people,
    people.add_person,
    people.change_person,
    people.list_roles,
    people.rotate_token_key,
]


def access(settings: Settings, *, passwords: Passwords | None = None) -> Service:
    """The register of `settings`, with the role that may change it. Opens nothing before the first request."""
    register = Register(Pool(settings.postgres.dsn(REGISTER_ROLE, DATABASE), "access-register", size=4))
    desk = Desk(register, Tokens(settings.data_dir), passwords or Passwords(), Throttle())

    @asynccontextmanager
    async def closing(_: Litestar) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await register.close()

    return Service(
        id=ID,
        title="Access",
        description="Keys of programs, people and their logins.",
        handlers=HANDLERS,
        parts={"register": register, "desk": desk, "installation_key": settings.access.api_key},
        tags={"access": "Logins, keys of programs, people and roles"},
        lifespans=[closing],
    )
