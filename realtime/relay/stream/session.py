"""One connection: what the client asks for, and the answers."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio.to_thread
import msgspec
import structlog
from msgspec import Struct

from realtime.relay.stream.batches import Form
from realtime.relay.stream.client import Client
from realtime.relay.stream.hub import Hub
from realtime.relay.stream.resume import Resume, kept
from realtime.relay.stream.trades import EVERYTHING, Symbols
from realtime.relay.stream.wire import BROKEN, POLICY, Wire, framed
from sql.messages import HEALTH, TRADES, Ask, Channel, Options, Refused, Subscribed, Unsubscribed

Receive = Callable[[], Awaitable[Any]]  # of ASGI
READ_SECONDS = 30.0  # for the thread that reads the disk to look at it
MOST_RESUMES = 4  # of one client at a time
MOST_SYMBOLS = 10_000  # of one client and channel; more is `*`

log = structlog.get_logger("realtime.stream")


class Stream(Struct, frozen=True):
    """What connections share."""

    hub: Hub
    folders: Sequence[Path]  # of the spool, the writer's first
    client_bytes: int  # may wait for one that is slow


class Session:
    """A client from its first word to its last. `channel` is that of the path; None where the client names it."""

    def __init__(self, stream: Stream, wire: Wire, options: Options, channel: Channel | None) -> None:
        self._stream = stream
        self._hub = stream.hub
        self._options = options
        self._channel = channel or options.channel
        form = Form(options.shape, options.batch)
        self._client = Client(wire, form, options.slow, stream.client_bytes, stream.hub.counts)
        self._resumes: dict[asyncio.Task[None], Resume] = {}

    async def run(self, receive: Receive) -> None:
        """Until the client is gone."""
        await self._hub.ready.wait()
        if not self._hub.join(self._client):
            return
        try:
            if self._options.symbols:
                symbols = self._options.symbols.replace(",", " ").split()
                await self._do(Ask(action="subscribe", symbols=symbols, from_sequence=self._options.from_sequence))
            while (event := await receive())["type"] == "websocket.receive" and self._client.takes_answers():
                await self._heard(event.get("text") or event.get("bytes") or b"")
        finally:
            self._hub.leave(self._client)
            for task in self._resumes:
                task.cancel()

    async def _heard(self, text: str | bytes) -> None:
        try:
            ask = msgspec.json.decode(text, type=Ask)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            expected = '{"action":"subscribe","symbols":["WINZ26"]}'
            self._refuse("NOT_UNDERSTOOD", f"expected {expected}, found something else: {error}")
            return
        await self._do(ask)

    async def _do(self, ask: Ask) -> None:
        channel = self._channel or ask.channel
        symbols = frozenset(symbol.upper() for symbol in ask.symbols)
        if channel is None or (ask.channel or channel) != channel:
            self._refuse(
                "NOT_UNDERSTOOD", f"channel: expected {self._channel or 'one to be named'}, found {ask.channel}"
            )
        elif ask.action == "unsubscribe":
            self._forget(channel, symbols)
        elif len(self._taken(channel) | symbols) > MOST_SYMBOLS:
            self._refuse("TOO_MANY", f"{channel}: at most {MOST_SYMBOLS:,} symbols are listed; subscribe to *")
        elif ask.from_sequence is None:
            self._client.want(channel, symbols)
            self._client.sequence = self._hub.told
            self._hub.changed()
            self._client.say(Subscribed(channel, sorted(symbols), self._hub.told))
            self._tell_newest(channel)
        elif channel != TRADES:
            self._refuse("NOT_RESUMABLE", f"{channel} begins with what holds now; only {TRADES} can be resumed")
        else:
            await self._resume(symbols, ask.from_sequence)

    def _tell_newest(self, channel: Channel) -> None:
        if channel == HEALTH:
            self._client.write(self._hub.health_frame())
        elif channel in self._hub.states:
            self._client.tell_newest(channel, self._hub.states[channel])

    def _forget(self, channel: Channel, symbols: Symbols) -> None:
        for task, resume in self._resumes.items():
            if channel == TRADES and not resume.forget(symbols):
                task.cancel()
        self._client.forget(channel, symbols)
        self._hub.changed()
        self._client.say(Unsubscribed(channel, sorted(symbols)))

    async def _resume(self, symbols: Symbols, sequence: int) -> None:
        if self._has(symbols):
            self._refuse("SUBSCRIBED", "some of these are subscribed already; unsubscribe first")
            return
        if len(self._resumes) >= MOST_RESUMES:
            self._refuse("TOO_MANY", f"{MOST_RESUMES} resumed subscriptions are not live yet; wait for one")
            return
        waiting = object()
        self._client.resuming[waiting] = min(sequence - 1, self._hub.told)  # no heartbeat may run ahead of it
        try:
            await self._resume_from(symbols, sequence)
        finally:
            del self._client.resuming[waiting]

    async def _resume_from(self, symbols: Symbols, sequence: int) -> None:
        with contextlib.suppress(TimeoutError):  # it may be on the disk and not told yet
            await asyncio.wait_for(self._hub.reached_or_end(sequence - 1), READ_SECONDS)
        newest = self._hub.told
        if sequence > newest + 1:
            text = f"sequence {sequence} is not known here, the newest is {newest}: is it of another data directory?"
            self._client.say(Refused("SEQUENCE_UNKNOWN", text, newest=newest))
            return
        place = await anyio.to_thread.run_sync(kept, self._stream.folders, sequence, limiter=Resume.readers)
        oldest = place.oldest if place else newest + 1
        if 0 < sequence < oldest:
            text = f"sequence {sequence} is not kept any more, the oldest is {oldest}"
            self._client.say(Refused("SEQUENCE_GONE", text, oldest=oldest, newest=newest))
            return
        sequence = max(sequence, oldest)
        self._client.say(Subscribed(TRADES, sorted(symbols), sequence - 1))
        resume = Resume(self._hub, self._stream.folders, self._client, symbols, sequence)
        self._client.resuming[resume] = sequence - 1
        task = asyncio.create_task(resume.run())
        self._resumes[task] = resume
        task.add_done_callback(self._resumed)

    def _resumed(self, task: asyncio.Task[None]) -> None:
        self._client.resuming.pop(self._resumes.pop(task), None)  # cancelled before its first step, it is there still
        if not task.cancelled() and (error := task.exception()):
            log.error("resume_broke", exc_info=error)
            self._client.wire.cut(BROKEN, "cannot read the spool; try again")

    def _has(self, symbols: Symbols) -> bool:
        taken = self._taken(TRADES)
        return bool(taken & symbols) or (bool(taken) and symbols >= EVERYTHING) or taken >= EVERYTHING

    def _taken(self, channel: Channel) -> Symbols:
        resumed = (resume.symbols for resume in self._resumes.values() if channel == TRADES)
        return self._client.wanted[channel].union(*resumed)

    def _refuse(self, code: Any, message: str) -> None:
        self._client.say(Refused(code, message))


def options_of(query: Mapping[str, str]) -> Options | Refused:
    """The query of an address, or what is wrong with it."""
    try:
        return msgspec.convert(dict(query), Options, strict=False)
    except msgspec.ValidationError as error:
        return Refused("NOT_UNDERSTOOD", f"address: {error}")


async def serve(
    stream: Stream, wire: Wire, receive: Receive, query: Mapping[str, str], channel: Channel | None
) -> None:
    """Talk to a client that was accepted, until it is gone."""
    options = options_of(query)
    if isinstance(options, Refused):
        wire.write_frames(framed([msgspec.json.encode(options)]))
        wire.cut(POLICY, options.message)
    else:
        await Session(stream, wire, options, channel).run(receive)
