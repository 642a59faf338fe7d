"""Settings of TP-Capital: the bots that listen to channels, and the key that seals registered tokens."""

from typing import Annotated

from msgspec import Struct

from config.variables import env

LOGS = 200
SECRETS = (
    "TP_CAPITAL_TOKEN_KEY",
    "TP_CAPITAL_GATEWAY_SECRET",
    "TELEGRAM_INGESTION_BOT_TOKEN",
    "TELEGRAM_FORWARDER_BOT_TOKEN",
    "TELEGRAM_WEBHOOK_SECRET",
)


class TpCapital(Struct, frozen=True, kw_only=True):
    """Everything may be missing: without a token nobody listens, without a key no token is registered."""

    token_key: Annotated[str | None, env("TP_CAPITAL_TOKEN_KEY")] = None
    gateway_secret: Annotated[str | None, env("TP_CAPITAL_GATEWAY_SECRET")] = None
    ingestion_token: Annotated[str | None, env("TELEGRAM_INGESTION_BOT_TOKEN")] = None
    forwarder_token: Annotated[str | None, env("TELEGRAM_FORWARDER_BOT_TOKEN")] = None
    source_channels: Annotated[str, env("TELEGRAM_SOURCE_CHANNEL_IDS")] = ""
    destination: Annotated[int, env("TELEGRAM_DESTINATION_CHANNEL_ID")] = 0  # 0: nothing is forwarded
    telegram_mode: Annotated[str, env("TELEGRAM_MODE")] = "polling"  # exactly `webhook` changes it
    webhook_url: Annotated[str | None, env("TELEGRAM_WEBHOOK_URL")] = None
    webhook_secret: Annotated[str | None, env("TELEGRAM_WEBHOOK_SECRET")] = None
    api_url: Annotated[str, env("TELEGRAM_API_URL")] = "https://api.telegram.org"
    receipts: Annotated[bool, env("TELEGRAM_RECEIPTS")] = True
    log_history: Annotated[str, env("LOG_HISTORY_SIZE")] = str(LOGS)

    @property
    def webhook(self) -> bool:
        """Whether Telegram calls us instead of being asked."""
        return self.telegram_mode == "webhook"

    @property
    def sources(self) -> tuple[int, ...]:
        """The channels that are forwarded; blanks, zeros and what is no number are left out."""
        numbers = (part.strip() for part in self.source_channels.split(","))
        return tuple(int(part) for part in numbers if part.removeprefix("-").isascii() and _number(part))

    @property
    def logs(self) -> int:
        """How many lines `/logs` remembers; what is no positive number means the default."""
        return int(self.log_history) if self.log_history.isascii() and _number(self.log_history) > 0 else LOGS


def _number(text: str) -> int:
    return int(text) if text.removeprefix("-").isdigit() else 0
