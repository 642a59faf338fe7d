"""The ways in and what is told about the bots: `/webhook/telegram`, `/ingest`, `/bots`, `/config/channels`."""

import datetime as dt
import hmac
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.exceptions import NotAuthorizedException, ServiceUnavailableException
from litestar.params import HeaderParameter, JSONBody
from msgspec import UNSET, Meta, Struct, UnsetType

from api.kernel.access import OPEN, scoped
from api.kernel.bodies import Body
from api.kernel.errors import invalid, responses
from api.kernel.limits import FREE
from api.tp_capital.asked import instant, local
from api.tp_capital.diary import Diary
from api.tp_capital.intake import Heard, Intake
from api.tp_capital.listening import Listening

READ = scoped("tp-capital:read")
ERRORS = responses(401, 403, 429, 503)
CHAT = Meta(ge=-(2**63) + 1, le=2**63 - 1)
POST = Meta(ge=0, le=2**63 - 1)


class Webhook(Struct, frozen=True, kw_only=True, rename="camel"):
    """Where Telegram calls."""

    url: str | None
    has_secret_token: bool


class BotState(Struct, frozen=True, kw_only=True):
    """The ingestion bot; its token is never told. `bots` says how each stands with Telegram."""

    configured: bool
    mode: Literal["polling", "webhook"]
    webhook: Webhook | None
    status: Literal["running"] = "running"
    bots: dict[str, str]
    timestamp: str


class BotStateAnswer(Struct, frozen=True, kw_only=True):
    data: BotState


class ConfiguredChannel(Struct, frozen=True, kw_only=True, rename="camel"):
    channel_id: int
    type: Literal["source", "destination"]


class ConfiguredAnswer(Struct, frozen=True, kw_only=True):
    """The channels that the forwarder knows."""

    data: list[ConfiguredChannel]
    timestamp: str


class Told(Struct, frozen=True, kw_only=True, rename="camel"):
    """A post that another program heard."""

    channel_id: Annotated[int, CHAT]
    message_id: Annotated[int, POST]
    text: str
    timestamp: Annotated[int | str, Meta(description="Milliseconds since 1970, or ISO 8601.")]
    channel: Annotated[str, Meta(max_length=128)] | None = None


class Taken(Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of it: `stored` only when it is a new signal; else `reason` says why not."""

    success: bool = True
    message_id: int
    stored: bool
    reason: str | UnsetType = UNSET


class Heeded(Struct, frozen=True, kw_only=True):
    ok: bool = True


@get("/bots", tags=["telegram"], summary="The ingestion bot", opt=READ, responses=ERRORS)
async def bot_state(listening: NamedDependency[Listening]) -> BotStateAnswer:
    """As it is configured, and how it stands with Telegram."""
    settings = listening.settings
    webhook = Webhook(url=settings.webhook_url, has_secret_token=bool(settings.webhook_secret))
    state = BotState(
        configured=settings.ingestion_token is not None,
        mode="webhook" if settings.webhook else "polling",
        webhook=webhook if settings.webhook else None,
        bots=listening.states,
        timestamp=local(dt.datetime.now(dt.UTC)),
    )
    return BotStateAnswer(data=state)


@get("/config/channels", tags=["telegram"], summary="Channels of the forwarder", opt=READ, responses=ERRORS)
async def configured_channels(listening: NamedDependency[Listening]) -> ConfiguredAnswer:
    """Those that the settings name."""
    settings = listening.settings
    found = [ConfiguredChannel(channel_id=number, type="source") for number in settings.sources]
    if settings.destination:
        found.append(ConfiguredChannel(channel_id=settings.destination, type="destination"))
    return ConfiguredAnswer(data=found, timestamp=local(dt.datetime.now(dt.UTC)))


@post(
    "/webhook/telegram",
    tags=["telegram"],
    summary="Telegram's calls",
    opt={**OPEN, **FREE},  # a busy minute of channels is no flood, and what is refused only comes again
    status_code=200,
    responses=responses(401, 503),
)
async def webhook(
    request: Request[Any, Any, Any],
    listening: NamedDependency[Listening],
    diary: NamedDependency[Diary],
    secret: Annotated[str | None, HeaderParameter(name="X-Telegram-Bot-Api-Secret-Token")] = None,
) -> Heeded:
    """With the secret that Telegram was given. What cannot be read is answered as well, or it would come for ever;
    while it cannot be stored the answer is 503, and Telegram sends it again."""
    if not listening.opens_with(secret):
        raise NotAuthorizedException("the secret token of the webhook is missing or another one")
    body = update_in(await request.body())
    if body is None or not await listening.called(body):
        diary.tell("warn", "an update of Telegram could not be read")
    return Heeded()


@post(
    "/ingest",
    tags=["telegram"],
    summary="Take a post from another program",
    opt=OPEN,
    status_code=200,
    dto=Body[Told],
    responses=responses(400, 401, 422, 503),
)
async def ingest(
    request: Request[Any, Any, Any],
    data: JSONBody[Told],
    intake: NamedDependency[Intake],
    listening: NamedDependency[Listening],
) -> Taken:
    """With `X-Gateway-Secret`. The same post again changes nothing."""
    check_secret(listening.settings.gateway_secret, request.headers.get("x-gateway-secret"))
    at = instant("timestamp", str(data.timestamp))
    if at is None:
        raise invalid("timestamp", "is needed")
    heard = Heard(at=at, chat_id=data.channel_id, post_id=data.message_id, title=data.channel, text=data.text)
    done = await intake.take(heard, "gateway")
    stored = done.outcome == "stored"
    reason = UNSET if stored else done.reason or done.outcome
    return Taken(message_id=data.message_id, stored=stored, reason=reason)


def check_secret(expected: str | None, given: str | None) -> None:
    """Raises NotAuthorizedException for another secret, ServiceUnavailableException where none is set."""
    if not expected:
        raise ServiceUnavailableException("posts of other programs are not taken: TP_CAPITAL_GATEWAY_SECRET is not set")
    if not given or not hmac.compare_digest(expected.encode(), given.encode()):
        raise NotAuthorizedException("X-Gateway-Secret is missing or another one")


def update_in(body: bytes) -> dict[str, Any] | None:
    """The update in a call; None for what is none."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("update_id"), int) else None


HANDLERS = [bot_state, configured_channels, webhook, ingest]
