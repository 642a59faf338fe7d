"""TP-Capital's tables: signals, what was deleted of them, the posts they came from, bots and channels.

A signal's identity is its post (chat and number); the registries are versions, of which the newest of an id counts.
"""

from typing import Annotated

from msgspec import Struct

from sql.columns import Count, Instant, Label, Price, Signed, Symbol, Text, says
from sql.contract import Table

ChatId = Annotated[Signed, says("Telegram's number of the chat; below zero for channels")]
PostId = Annotated[Count, says("Telegram's number of the post in its chat")]


class Signal(Struct, frozen=True, kw_only=True):
    """One recommendation, as a post of a channel gave it. Who reads leaves out what has `deleted_at`."""

    ts: Annotated[Instant, says("when the channel posted it")]
    channel: Annotated[Label, says("title of the chat, else channel:<id>")]
    signal_type: Annotated[Label, says("Swing Trade, Day Trade, Scalping, or free text")]
    asset: Annotated[Symbol, says("instrument, as the post writes it")]
    buy_min: Annotated[Price, says("lower bound of the entry")] | None
    buy_max: Annotated[Price, says("upper bound of the entry; the same where one price was told")] | None
    target_1: Price | None
    target_2: Price | None
    target_final: Annotated[Price, says("as told, else the target of the highest number")] | None
    stop: Price | None
    raw_message: Annotated[Text, says("the post, carriage returns removed, ends trimmed")]
    source: Annotated[Symbol, says("ingestion, gateway, forwarder, sample")]
    ingested_at: Annotated[Instant, says("host time of the write, one for each row: deletions name it")]
    chat_id: ChatId
    post_id: PostId
    edited_at: Annotated[Instant, says("of the edit that gave these values")] | None
    deleted_at: Annotated[Instant, says("null: it counts")] | None


class DeletedSignal(Struct, frozen=True, kw_only=True):
    """A signal as it was when somebody deleted it, and who that was."""

    ts: Annotated[Instant, says("when the channel posted it")]
    channel: Label
    signal_type: Label
    asset: Symbol
    buy_min: Price | None
    buy_max: Price | None
    target_1: Price | None
    target_2: Price | None
    target_final: Price | None
    stop: Price | None
    raw_message: Text
    source: Symbol
    ingested_at: Instant
    deleted_at: Instant
    chat_id: ChatId
    post_id: PostId
    deleted_by: Annotated[Text, says("key, person or x-user-id")]
    deleted_from: Annotated[Text, says("address of the caller")]


class Post(Struct, frozen=True, kw_only=True):
    """One text of a channel, whatever became of it; an edit is a further row."""

    ts: Annotated[Instant, says("when the channel posted it")]
    chat_id: ChatId
    post_id: PostId
    revision: Annotated[Count, says("0 as posted, else the second of the edit since 1970")]
    channel: Label
    text: Annotated[Text, says("as it came")]
    parser: Annotated[Symbol, says("version of the rules that read it")]
    outcome: Annotated[Symbol, says("stored, updated, refused")]
    reason: Annotated[Text, says("why it is no signal")] | None
    received_at: Annotated[Instant, says("host time")]


class TelegramBot(Struct, frozen=True, kw_only=True):
    """One version of a registered bot."""

    id: Annotated[Symbol, says("bot-<ms>-<7 of base 36>")]
    username: Label
    token: Annotated[Text, says("sealed with TP_CAPITAL_TOKEN_KEY and this id")]
    bot_type: Annotated[Label, says("Forwarder, Sender, Ingestion")]
    description: Text
    status: Annotated[Symbol, says("active, inactive, deleted")]
    created_at: Instant
    updated_at: Annotated[Instant, says("of this version")]
    changed_by: Annotated[Text, says("key, person or x-user-id")]
    changed_from: Annotated[Text, says("address of the caller")]


class TelegramChannel(Struct, frozen=True, kw_only=True):
    """One version of a registered channel."""

    id: Annotated[Symbol, says("channel-<ms>-<7 of base 36>")]
    label: Label
    channel_id: ChatId
    channel_type: Annotated[Label, says("source, destination")]
    description: Text
    status: Annotated[Symbol, says("active, inactive, deleted")]
    signal_count: Count
    last_signal: Instant | None
    created_at: Instant
    updated_at: Annotated[Instant, says("of this version")]
    changed_by: Annotated[Text, says("key, person or x-user-id")]
    changed_from: Annotated[Text, says("address of the caller")]


POST_KEY = ("ts", "chat_id", "post_id")  # a post keeps its time when it is edited, and its chat when that is renamed
FOR_GOOD = 36_500  # days: what is in force may be old
SIGNALS = Table(
    name="tp_capital_signals", row=Signal, key=POST_KEY, time="ts", warm_days=90, writer="sql.signals.SignalStore"
)
DELETED_SIGNALS = Table(
    name="tp_capital_signals_deleted",
    row=DeletedSignal,
    key=POST_KEY,
    time="ts",
    warm_days=90,
    writer="sql.signals.SignalStore",
)
POSTS = Table(
    name="tp_capital_posts",
    row=Post,
    key=(*POST_KEY, "revision"),
    time="ts",
    warm_days=90,
    writer="sql.signals.SignalStore",
)
BOTS = Table(
    name="telegram_bots",
    row=TelegramBot,
    key=("updated_at", "id"),
    time="updated_at",
    hot_days=FOR_GOOD,
    warm_days=FOR_GOOD,
    writer="sql.telegram_registry.Registry",
)
CHANNELS = Table(
    name="telegram_channels",
    row=TelegramChannel,
    key=("updated_at", "id"),
    time="updated_at",
    hot_days=FOR_GOOD,
    warm_days=FOR_GOOD,
    writer="sql.telegram_registry.Registry",
)
TP_CAPITAL = (SIGNALS, DELETED_SIGNALS, POSTS, BOTS, CHANNELS)
