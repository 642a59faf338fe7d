"""How capture stands: when the feed is not as it should be, in words, and when only a new process helps. Pure."""

from msgspec import Struct

from realtime.connection import Connection


class Limits(Struct, frozen=True, kw_only=True):
    """When the feed counts as broken. `always_open`: an invented market has no hours."""

    silence_seconds: float = 60.0
    restart_seconds: float = 300.0
    close_seconds: float = 8.0  # how long an end waits for the DLL
    always_open: bool = False


class Standing(Struct, frozen=True, kw_only=True):
    """How capture stands, for health, metrics and people. Seconds are of the monotonic clock."""

    link: str
    trouble: str | None  # why it is not as it should be, in words
    data_ready: bool
    orders_ready: bool
    login: int | None
    routing: int | None
    market: int | None
    activation: int | None
    symbols: tuple[str, ...]  # subscribed now
    unknown_symbols: tuple[str, ...]  # the broker does not know them
    trading: bool  # whether any subscribed market is open
    idle_seconds: float  # since the last market record
    records: int
    reconnects: int
    waiting: int  # records in the ring that are not in the spool yet
    dropped: int  # records that found the ring full
    spool_dropped: int  # records that found the spool full
    callback_errors: int
    request: str | None  # what the DLL is asked now
    request_seconds: float


class Watch:
    """How long the feed has been silent, or in trouble, while the market trades. Seconds of one clock."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._closed_at = now  # when the market was last seen closed: nothing had to be said before
        self._well_at = now

    def silent(self, now: float, *, trading: bool, last_record: float) -> bool:
        """Whether an open market has said nothing for too long."""
        if not trading:
            self._closed_at = now
        return trading and now - max(last_record, self._closed_at) > self._limits.silence_seconds

    def exhausted(self, now: float, *, trading: bool, trouble: str | None, final: bool) -> bool:
        """Whether waiting has been tried long enough. `final`: a new process would be told the same."""
        if not trading or final or trouble is None:
            self._well_at = now
        return now - self._well_at > self._limits.restart_seconds


def trouble_of(connection: Connection, *, failed: str | None, hanging: tuple[str | None, float]) -> str | None:
    """Why the link is not as it should be; None when it is. `hanging`: the request and its seconds."""
    request, seconds = hanging
    if request:
        return f"the DLL does not come back from `{request}` for {seconds:.0f} s"
    if failed:
        return f"the DLL cannot be used: {failed}"
    if connection.refusal:
        return f"the broker refuses the login: {connection.refusal}"
    if not connection.data_ready:
        return f"no market data yet ({connection.link})"
    if not connection.subscribed:
        return "symbols are being subscribed"
    return connection.degraded
