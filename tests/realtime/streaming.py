"""The relay's port over a spool that a test writes, and clients of its stream."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jsonschema_rs
import msgspec
import uvicorn
from websockets.sync.client import ClientConnection, connect

from api.kernel.asyncapi import document
from api.kernel.server import configured, listening
from config.settings import Settings
from realtime.relay.sender import Progress
from realtime.relay.server import relay_app
from realtime.spool.files import Limits
from realtime.spool.writer import Spool
from sql import stores
from sql.messages import ADDRESSES, Ask, Options
from tests.realtime.spooled import ASSETS

WAIT_SECONDS = 20.0
NOISE = ("heartbeat", "subscribed", "live")


def contract() -> dict[str, Any]:
    """Validators of whatever the stream may say, by type, made of its own document."""
    schemas = document("Test", "here", ADDRESSES, Ask, Options)["components"]["schemas"]
    named: dict[str, list[dict[str, str]]] = {}
    for message in {message for address in ADDRESSES for message in address.told}:
        kind = schemas[message.__name__]["properties"]["type"]["enum"][0]
        named.setdefault(kind, []).append({"$ref": f"#/components/schemas/{message.__name__}"})
    components = {"schemas": schemas}
    return {
        kind: jsonschema_rs.validator_for({"anyOf": anything, "components": components})
        for kind, anything in named.items()
    }


CONTRACT = contract()


class Scene:
    """A spool, its writer, and the address of a relay that tells what is in it. QuestDB is not there."""

    def __init__(self, settings: Settings, **limits: Any) -> None:
        self.settings = settings
        self.url = settings.url("data-capture").replace("http", "ws", 1)
        self.spool = Spool.open(settings.spool_dir, source="simulator", limits=Limits(**limits))
        self.spool.assets(ASSETS)

    def put(self, records: Any) -> int:
        """Spool records; the number of the last one."""
        self.spool.append(records)
        return self.spool.commit()

    @contextmanager
    def relay(self) -> Iterator[None]:
        """The relay's port, answering while the block runs."""
        hot = stores.hot(self.settings)
        sockets = listening(self.settings, ["data-capture"])
        server = uvicorn.Server(configured(relay_app(self.settings, hot, Progress())))
        thread = threading.Thread(target=server.run, kwargs={"sockets": sockets})
        thread.start()

        def end() -> None:
            server.should_exit = True
            thread.join(WAIT_SECONDS)
            assert not thread.is_alive()

        self.end = end
        try:
            yield
        finally:
            end()
            hot.close()

    def client(self, path: str = "/ws/trades", **options: Any) -> "Listener":
        return Listener(connect(self.url + path, proxy=None, **options))


class Listener:
    """A client that is fast enough."""

    def __init__(self, connecting: Any) -> None:
        self._connecting = connecting
        self.connection: ClientConnection
        self.live = False  # what was resumed has caught up

    def __enter__(self) -> "Listener":
        self.connection = self._connecting.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._connecting.__exit__(*raised)

    def ask(self, action: str = "subscribe", *symbols: str, **more: Any) -> None:
        self.connection.send(msgspec.json.encode({"action": action, "symbols": symbols, **more}).decode())

    def hear(self) -> dict[str, Any]:
        """The next message."""
        message = msgspec.json.decode(self.connection.recv(WAIT_SECONDS))
        CONTRACT[message["type"]].validate(message)
        self.live = self.live or message["type"] == "live"
        return message

    def until(self, kind: str) -> dict[str, Any]:
        """The next message of a type."""
        deadline = time.monotonic() + WAIT_SECONDS
        while (found := self.hear())["type"] != kind:
            assert time.monotonic() < deadline, found["type"]
        return found

    def reached(self, sequence: int) -> None:
        """Until the relay says that it told everything up to `sequence`."""
        while self.until("heartbeat")["sequence"] < sequence:
            pass

    def trades(self, count: int) -> list[dict[str, Any]]:
        """The next trades, one by one or in batches; anything else but signs of life is not expected."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            message = self.hear()
            if message["type"] == "trades":
                found += message["data"]
            elif message["type"] not in NOISE:
                assert message["type"] == "trade", message
                found.append(message)
        return found

    def sequences(self, count: int) -> list[int]:
        return [trade["sequence"] for trade in self.trades(count)]
