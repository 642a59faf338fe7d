"""The link to the broker's DLL as a state: what its four channels said last, and what may be done with that.

Each channel is a latch of its last word (the DLL repeats itself, in any order); nothing is counted. Pure.
"""

import enum

from msgspec import Struct, structs


class Channel(enum.IntEnum):
    """The four kinds of state events, as the DLL numbers them."""

    LOGIN = 0
    ROUTING = 1
    MARKET = 2
    ACTIVATION = 3


class Link(enum.StrEnum):
    """Where the connection stands."""

    DISCONNECTED = "Disconnected"
    INITIALIZING = "Initializing"
    AUTHENTICATING = "Authenticating"
    INVALID_CREDENTIALS = "InvalidCredentials"
    BROKER_CONNECTING = "BrokerConnecting"
    BROKER_CONNECTED = "BrokerConnected"
    BROKER_HCS_CONNECTED = "BrokerHCSConnected"
    MARKET_CONNECTING = "MarketConnecting"
    MARKET_NOT_LOGGED = "MarketNotLogged"
    FULLY_CONNECTED = "FullyConnected"
    SUBSCRIBING_TICKERS = "SubscribingTickers"
    ACTIVE = "Active"
    DEGRADED = "Degraded"


LOGIN_REFUSED = {
    1: "the user is not known",
    2: "the password is wrong",
    3: "the password is blocked",
    4: "the password has expired",
}
CONNECTED = 4
MARKET_UP = (CONNECTED, 5, 6)  # 5: the server's feed is slow, 6: our callbacks are; both are connected
NOT_LOGGED = 3
ROUTING_SERVER, BROKER = 2, 5


class Connection(Struct, frozen=True, kw_only=True):
    """The last word of each channel; None before the first."""

    routing_wanted: bool = False
    closing: bool = False  # while the DLL is shut down its words mean teardown
    login: int | None = None
    routing: int | None = None
    market: int | None = None
    activation: int | None = None
    subscribed: bool = False  # all symbols since the market data came up
    symbols: int = 0  # how many are wanted
    silent: bool = False  # no event for too long while the market trades
    frozen: bool = False  # the DLL says of itself that it hangs

    @property
    def refusal(self) -> str | None:
        """Why the broker will not let us in, in words; None when it has not said no. Trying again may lock the user."""
        if self.closing:
            return None
        if self.login in LOGIN_REFUSED:
            return LOGIN_REFUSED[self.login]
        return f"the activation key is not valid (code {self.activation})" if self.activation else None

    @property
    def data_ready(self) -> bool:
        """Whether symbols may be subscribed: before, the DLL takes a subscription and never delivers."""
        return not self.closing and self.activation == 0 and self.login == 0 and self.market in MARKET_UP

    @property
    def orders_ready(self) -> bool:
        """Whether orders may leave: the broker itself answers, not only the routing server."""
        return not self.closing and self.login == 0 and self.activation == 0 and self.routing == BROKER

    @property
    def degraded(self) -> str | None:
        """What is wrong although we are connected."""
        if self.frozen:
            return "the DLL says that it hangs"
        if self.silent:
            return "no event arrives while the market trades"
        if self.market in MARKET_UP[1:]:
            return "the feed is slow" if self.market == MARKET_UP[1] else "our callbacks are too slow for the feed"
        return None

    @property
    def link(self) -> Link:
        """The state in one word: the first thing that is still missing."""
        missing: tuple[tuple[bool, Link], ...] = (
            (self.refusal is not None, Link.INVALID_CREDENTIALS),
            (self.closing, Link.DISCONNECTED),
            (self.login is None and not self._spoke, Link.INITIALIZING),
            (self.login not in (0, None), Link.DISCONNECTED),  # says nothing of user or password; the DLL tries again
            (self.login is None or self.activation is None, Link.AUTHENTICATING),
            (self.market == NOT_LOGGED, Link.MARKET_NOT_LOGGED),
            (self.market is None and self.routing == BROKER, Link.BROKER_HCS_CONNECTED),
            (self.market == 0 and not self.routing, Link.DISCONNECTED),
            (self.market not in MARKET_UP, Link.MARKET_CONNECTING),
            (self.routing_wanted and self.routing == ROUTING_SERVER, Link.BROKER_CONNECTED),
            (self.routing_wanted and self.routing != BROKER, Link.BROKER_CONNECTING),
            (not self.subscribed, Link.SUBSCRIBING_TICKERS),
            (self.degraded is not None, Link.DEGRADED),
            (self.symbols == 0, Link.FULLY_CONNECTED),
        )
        return next((link for holds, link in missing if holds), Link.ACTIVE)

    @property
    def _spoke(self) -> bool:
        return any(word is not None for word in (self.routing, self.market, self.activation))


def heard(connection: Connection, channel: int, word: int) -> Connection:
    """The connection after one state event. Channels that nobody knows change nothing."""
    if channel == Channel.LOGIN:
        return structs.replace(connection, login=word)
    if channel == Channel.ROUTING:
        return structs.replace(connection, routing=word)
    if channel == Channel.ACTIVATION:
        return structs.replace(connection, activation=word)
    if channel == Channel.MARKET:
        came_up = word in MARKET_UP and connection.market not in MARKET_UP
        lost = word not in MARKET_UP
        return structs.replace(connection, market=word, subscribed=connection.subscribed and not came_up and not lost)
    return connection


def must_subscribe(connection: Connection) -> bool:
    """Whether the symbols are to be subscribed now: the DLL does not do it again after a reconnect."""
    return connection.data_ready and not connection.subscribed
