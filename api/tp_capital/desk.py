"""What the registries of bots and channels share: who asks, what is remembered, how an entry begins."""

import datetime as dt
from typing import Annotated, Any, Literal

from litestar import Request
from litestar.exceptions import NotFoundException
from msgspec import UNSET, Meta, Struct
from msgspec.structs import asdict, replace

from api.kernel.access import actor, address_of
from api.kernel.errors import invalid, responses
from api.tp_capital.asked import local
from api.tp_capital.diary import Diary
from api.tp_capital.seals import Seals
from sql.signal_tables import TelegramBot, TelegramChannel
from sql.telegram_registry import Author, Registry

ERRORS = responses(401, 403, 429, 503)
WRONG = responses(400, 401, 403, 422, 429, 503)
MISSING = responses(400, 401, 403, 404, 422, 429, 503)

Name = Annotated[str, Meta(pattern=r"^[^\x00]*[^\s\x00][^\x00]*$", max_length=128)]
Words = Annotated[str, Meta(pattern=r"^[^\x00]*$", max_length=2_000)]
Status = Literal["active", "inactive"]
BIGGEST = 2**63 - 1


class Registered(Struct, frozen=True, kw_only=True):
    """The id that a new entry got."""

    status: Literal["ok"] = "ok"
    id: str


class Done(Struct, frozen=True, kw_only=True):
    status: Literal["ok"] = "ok"


class Desk(Struct, frozen=True):
    """Who asks, and what is remembered of it: what every change of a registry needs."""

    bots: Registry[TelegramBot]
    channels: Registry[TelegramChannel]
    seals: Seals
    diary: Diary

    def told(self, request: Request[Any, Any, Any], what: str, entry_id: str) -> None:
        """Remember a change that was made."""
        self.diary.tell("info", what, id=entry_id, by=actor(request), address=address_of(request) or "unknown")

    def masked(self, bot: TelegramBot) -> TelegramBot:
        """The bot as it may be shown."""
        return replace(bot, token=self.seals.masked(bot.token, bot.id))


def first_version(request: Request[Any, Any, Any], entry_id: str, at: dt.datetime) -> dict[str, Any]:
    """What every new entry begins with."""
    by = author_of(request)
    return {
        "id": entry_id,
        "status": "active",
        "created_at": at,
        "updated_at": at,
        "changed_by": by.name,
        "changed_from": by.address,
    }


def sent(changes: Struct) -> dict[str, Any]:
    """The fields that a body has. Raises InvalidRequestError when it has none that we know."""
    values = {name: value for name, value in asdict(changes).items() if value is not UNSET}
    if not values:
        raise invalid("body", f"nothing to change: expected at least one of {', '.join(changes.__struct_fields__)}")
    return values


def existing(found: object, entry_id: str) -> None:
    """Raises NotFoundException when there is no such entry."""
    if found is None:
        raise NotFoundException(f"{entry_id[:80]} is not registered")


def author_of(request: Request[Any, Any, Any]) -> Author:
    """Who writes, and from where."""
    return Author(actor(request), address_of(request) or "unknown")


def now() -> str:
    """This moment in São Paulo."""
    return local(dt.datetime.now(dt.UTC))
