"""Every setting of every process: one frozen tree, read once by `load` at a composition root.

Layers, later wins: `config/container-images.env`, `config/.env.defaults`, `.env`, `.env.local`, the process
environment. A `TRADINGSYSTEM_*` name that no setting has and a value that does not fit stop the process, named.
"""

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from dotenv import dotenv_values
from msgspec import Meta, Struct, field

from config import manifest, secrets, tp_capital
from config.databases import Postgres, QuestDB
from config.tp_capital import TpCapital
from config.variables import Port, Seconds, env
from config.variables import SettingsError as SettingsError  # noqa: PLC0414 - `load` raises it, so it is found here

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("config/container-images.env", "config/.env.defaults", ".env", ".env.local")
TRACKED = LAYERS[:3]
SECRETS = (
    "PROFITDLL_ACTIVATION_KEY",
    "PROFITDLL_USER",
    "PROFITDLL_PASSWORD",
    "PROFITDLL_ROUTING_PASSWORD",
    "TRADINGSYSTEM_JOURNAL_KEY",
    "TRADINGSYSTEM_STRATEGY_KEY",
    *tp_capital.SECRETS,
)  # never in a tracked file
OUR_PREFIX = "TRADINGSYSTEM_"
POSITION_PREFIX = "MAX_POSITION_SIZE_"  # before a symbol, or the root of a contract

Kind = Literal["demo", "live"]


class B3(Struct, frozen=True, kw_only=True):
    """B3's public trade-by-trade files."""

    base_url: Annotated[str, env("TRADINGSYSTEM_B3_URL")] = "https://arquivos.b3.com.br/rapinegocios/tickercsv"
    timeout_seconds: Annotated[Seconds, env("TRADINGSYSTEM_B3_TIMEOUT_SECONDS")] = 60.0
    nightly: Annotated[str, env("TRADINGSYSTEM_B3_SYMBOLS")] = ""
    fill: Annotated[bool | None, env("TRADINGSYSTEM_B3_FILL")] = None  # unset: on in a live directory, off in a demo

    @property
    def symbols(self) -> tuple[str, ...]:
        """The instruments that are fetched each night (ALL: the file of all of them); none: nothing is fetched."""
        return tuple(dict.fromkeys(name.upper() for name in self.nightly.replace(",", " ").split()))


class Capture(Struct, frozen=True, kw_only=True):
    """What the realtime process takes from the market, and when it holds the feed for broken."""

    symbols: Annotated[str, env("TRADINGSYSTEM_SYMBOLS")] = ""  # unset: what the source knows best
    depth: Annotated[str, env("TRADINGSYSTEM_DEPTH_SYMBOLS")] = ""
    offers: Annotated[str, env("TRADINGSYSTEM_OFFER_SYMBOLS")] = ""
    ring_records: Annotated[int, Meta(ge=1 << 12, le=1 << 24), env("TRADINGSYSTEM_RING_RECORDS")] = 1 << 19
    silence_seconds: Annotated[Seconds, env("TRADINGSYSTEM_SILENCE_SECONDS")] = 60.0
    restart_seconds: Annotated[Seconds, env("TRADINGSYSTEM_CAPTURE_RESTART_SECONDS")] = 300.0
    history_silence_seconds: Annotated[Seconds, env("TRADINGSYSTEM_HISTORY_SILENCE_SECONDS")] = 60.0
    history_quiet_seconds: Annotated[Seconds, env("TRADINGSYSTEM_HISTORY_QUIET_SECONDS")] = 2.0
    fill_gaps: Annotated[bool, env("TRADINGSYSTEM_FILL_GAPS")] = True
    simulator_script: Annotated[Path | None, env("TRADINGSYSTEM_SIMULATOR_SCRIPT")] = None


class ProfitDll(Struct, frozen=True, kw_only=True):
    """Nelogica's DLL and the account it logs in with. Secrets: only from `.env.local` or the environment."""

    library: Annotated[Path | None, env("PROFITDLL_PATH")] = None
    activation_key: Annotated[str | None, env("PROFITDLL_ACTIVATION_KEY")] = None
    user: Annotated[str | None, env("PROFITDLL_USER")] = None
    password: Annotated[str | None, env("PROFITDLL_PASSWORD")] = None
    routing: Annotated[bool, env("PROFITDLL_ROUTING")] = True  # log in for orders too
    routing_password: Annotated[str | None, env("PROFITDLL_ROUTING_PASSWORD")] = None  # the broker's, of each order
    stop_offset_ticks: Annotated[int, Meta(ge=0), env("PROFITDLL_STOP_OFFSET_TICKS")] = 20  # limit of a plain stop

    @property
    def missing(self) -> tuple[str, ...]:
        """The variables that a login needs and that are not set."""
        needed = {
            "PROFITDLL_PATH": self.library,
            "PROFITDLL_ACTIVATION_KEY": self.activation_key,
            "PROFITDLL_USER": self.user,
            "PROFITDLL_PASSWORD": self.password,
        }
        return tuple(name for name, value in needed.items() if not value)


class Orders(Struct, frozen=True, kw_only=True):
    """Who executes orders, the journal's key, and the first limits. Money in BRL, counts in contracts or shares."""

    broker: Annotated[Literal["source", "paper"], env("TRADINGSYSTEM_BROKER")] = "source"
    paper_slippage: Annotated[int, Meta(ge=0), env("TRADINGSYSTEM_PAPER_SLIPPAGE_TICKS")] = 1
    paper_queue: Annotated[int, Meta(ge=0), env("TRADINGSYSTEM_PAPER_QUEUE_LOTS")] = 100
    account: Annotated[str | None, env("TRADINGSYSTEM_ACCOUNT")] = None  # broker:account, of orders that name none
    journal_key: Annotated[str | None, env("TRADINGSYSTEM_JOURNAL_KEY")] = None
    daily_loss: Annotated[Decimal, env("DAILY_LOSS_LIMIT")] = Decimal(5000)
    flatten_on_loss: Annotated[bool, env("TRADINGSYSTEM_FLATTEN_ON_LOSS")] = False
    hours_start: Annotated[str | None, env("TRADING_HOURS_START")] = None  # unset: 09:00, in a demo all day
    hours_end: Annotated[str | None, env("TRADING_HOURS_END")] = None  # unset: 18:00, in a demo all day
    max_position: Annotated[int, Meta(ge=1, le=10_000), env("TRADINGSYSTEM_MAX_POSITION")] = 5  # futures
    max_shares: Annotated[int, Meta(ge=1, le=10_000), env("TRADINGSYSTEM_MAX_SHARES")] = 500
    max_positions: dict[str, Annotated[int, Meta(ge=1, le=10_000)]] = {}  # MAX_POSITION_SIZE_<SYMBOL>
    max_quantity: Annotated[int, Meta(ge=1, le=999_999), env("TRADINGSYSTEM_MAX_ORDER_QUANTITY")] = 999_999
    max_notional: Annotated[Decimal | None, env("TRADINGSYSTEM_MAX_ORDER_NOTIONAL")] = None
    max_open_notional: Annotated[Decimal | None, env("TRADINGSYSTEM_MAX_OPEN_NOTIONAL")] = None
    max_open_orders: Annotated[int, Meta(ge=1), env("TRADINGSYSTEM_MAX_OPEN_ORDERS")] = 100
    per_second: Annotated[int, Meta(ge=1), env("TRADINGSYSTEM_ORDERS_PER_SECOND")] = 20
    per_minute: Annotated[int, Meta(ge=1), env("TRADINGSYSTEM_ORDERS_PER_MINUTE")] = 300
    collar: Annotated[Decimal, env("TRADINGSYSTEM_PRICE_COLLAR")] = Decimal("0.10")  # share of the last price
    price_age_seconds: Annotated[Seconds, env("TRADINGSYSTEM_PRICE_AGE_SECONDS")] = 30.0
    mark_age_seconds: Annotated[Seconds, env("TRADINGSYSTEM_MARK_AGE_SECONDS")] = 60.0
    capital: Annotated[Decimal | None, env("TRADINGSYSTEM_CAPITAL")] = None
    margin_rate: Annotated[Decimal | None, env("TRADINGSYSTEM_MARGIN_RATE")] = None  # share of the notional
    confidence: Annotated[float, Meta(ge=0, le=1), env("TRADINGSYSTEM_CONFIDENCE")] = 0.60
    twin_seconds: Annotated[float, Meta(ge=0, le=3600), env("TRADINGSYSTEM_TWIN_SECONDS")] = 1.0
    ack_seconds: Annotated[Seconds, env("TRADINGSYSTEM_ACK_SECONDS")] = 5.0
    rehearse_seconds: Annotated[float, Meta(ge=0), env("TRADINGSYSTEM_REHEARSE_SECONDS")] = 0.001  # 0: never
    settle_seconds: Annotated[Seconds, env("TRADINGSYSTEM_SETTLE_SECONDS")] = 10.0
    reconcile_seconds: Annotated[Seconds, env("TRADINGSYSTEM_RECONCILE_SECONDS")] = 60.0
    partial_seconds: Annotated[float, Meta(ge=0), env("TRADINGSYSTEM_PARTIAL_SECONDS")] = 300.0  # 0: never
    contract_costs: Annotated[str, env("TRADINGSYSTEM_CONTRACT_COSTS")] = ""  # for example WIN=0.25 WDO=1.10
    cost_share: Annotated[Decimal, env("TRADINGSYSTEM_COST_SHARE")] = Decimal(0)
    own_instruments: Annotated[str, env("TRADINGSYSTEM_INSTRUMENTS")] = ""  # for example BGI=0.05/1/330

    @property
    def costs(self) -> dict[str, Decimal]:
        """BRL for each contract of a root. Raises SettingsError."""
        found: dict[str, Decimal] = {}
        for part in self.contract_costs.replace(",", " ").split():
            root, _, cost = part.partition("=")
            try:
                found[root.upper()] = Decimal(cost)
            except InvalidOperation as error:
                raise SettingsError(f"TRADINGSYSTEM_CONTRACT_COSTS: expected ROOT=BRL, found {part!r}") from error
        return found

    @property
    def instruments(self) -> dict[str, tuple[float, int, float]]:
        """Tick, lot and BRL a point of symbols or roots of futures, as an operator wants them. Raises SettingsError."""
        found: dict[str, tuple[float, int, float]] = {}
        for part in self.own_instruments.replace(",", " ").split():
            name, _, figures = part.partition("=")
            try:
                tick, lot, value = figures.split("/")
                held = float(tick), int(lot), float(value)
            except ValueError:
                held = 0.0, 0, 0.0
            if not name or not all(math.isfinite(figure) and figure > 0 for figure in held):
                raise SettingsError(f"TRADINGSYSTEM_INSTRUMENTS: expected SYMBOL=TICK/LOT/POINT, found {part!r}")
            found[name.upper()] = held
        return found


class Spool(Struct, frozen=True, kw_only=True):
    """What stands on disk between the market and the hot tier, and is kept as evidence after it was sent."""

    max_bytes: Annotated[int, Meta(ge=1 << 20), env("TRADINGSYSTEM_SPOOL_MAX_BYTES")] = 20 << 30
    segment_bytes: Annotated[int, Meta(ge=1 << 16), env("TRADINGSYSTEM_SPOOL_SEGMENT_BYTES")] = 128 << 20
    commit_seconds: Annotated[Seconds, env("TRADINGSYSTEM_SPOOL_COMMIT_SECONDS")] = 0.02
    raw_days: Annotated[int, Meta(ge=1), env("TRADINGSYSTEM_RAW_DAYS")] = 90


class Stream(Struct, frozen=True, kw_only=True):
    """What the relay's WebSocket holds for its clients."""

    client_bytes: Annotated[int, Meta(ge=1 << 16), env("TRADINGSYSTEM_STREAM_CLIENT_BYTES")] = 4 << 20
    clients: Annotated[int, Meta(ge=1), env("TRADINGSYSTEM_STREAM_CLIENTS")] = 1_000


class Access(Struct, frozen=True, kw_only=True):
    """Who may call the HTTP interface, and from which pages."""

    mode: Annotated[Literal["loopback", "required"], env("TRADINGSYSTEM_ACCESS")] = "loopback"
    api_key: Annotated[str | None, env("TRADINGSYSTEM_API_KEY")] = None
    strategy_key: Annotated[str | None, env("TRADINGSYSTEM_STRATEGY_KEY")] = None  # of strategy processes
    bind: Annotated[str, env("TRADINGSYSTEM_BIND")] = "127.0.0.1"
    cors_origin: Annotated[str, env("CORS_ORIGIN")] = "http://localhost:3103,http://localhost:3004"
    disable_cors: Annotated[bool, env("DISABLE_CORS")] = False
    allowed_hosts: Annotated[str, env("TRADINGSYSTEM_ALLOWED_HOSTS")] = ""  # where every caller needs a key
    rate_limit_window_ms: Annotated[int, Meta(ge=1), env("RATE_LIMIT_WINDOW_MS")] = 60_000
    rate_limit_max: Annotated[int, Meta(ge=1), env("RATE_LIMIT_MAX")] = 100

    @property
    def hosts(self) -> frozenset[str]:
        """Names, besides those of this machine, that are answered to; none: all."""
        return frozenset(name.lower() for name in self.allowed_hosts.replace(",", " ").split())

    @property
    def key_needed(self) -> bool:
        """True when every caller needs a key: asked for, or reachable from other machines."""
        return self.mode == "required" or self.bind not in ("127.0.0.1", "::1", "localhost")


class Allowance(Struct, frozen=True):
    """How many requests of one address are answered in a window of time; `setting` is the variable that says so."""

    requests: int
    window_ms: int
    setting: str


Most = Annotated[int, Meta(ge=1)]


class Limits(Struct, frozen=True, kw_only=True):
    """Requests of one address in a window. Unset: the service's usual figure, or RATE_LIMIT_MAX where that is set."""

    orders: Annotated[Most | None, env("ORDER_MANAGER_RATE_LIMIT_MAX")] = None
    workspace: Annotated[Most | None, env("WORKSPACE_RATE_LIMIT_MAX")] = None
    documentation: Annotated[Most | None, env("DOCUMENTATION_RATE_LIMIT_MAX")] = None
    tp_capital: Annotated[Most | None, env("TP_CAPITAL_RATE_LIMIT_MAX")] = None
    b3: Annotated[Most | None, env("B3_RATE_LIMIT_MAX")] = None
    firecrawl_proxy: Annotated[Most | None, env("FIRECRAWL_PROXY_RATE_LIMIT_MAX")] = None
    firecrawl_window_ms: Annotated[Most | None, env("FIRECRAWL_PROXY_RATE_LIMIT_WINDOW_MS")] = None


USUAL_LIMITS = {  # service -> (field of Limits, requests)
    "order-manager": ("orders", 300),
    "workspace-api": ("workspace", 300),
    "documentation-api": ("documentation", 200),
    "tp-capital-signals": ("tp_capital", 120),
    "b3-market-data": ("b3", 120),
    "firecrawl-proxy": ("firecrawl_proxy", 100),
}


class Firecrawl(Struct, frozen=True, kw_only=True):
    """The scraper behind the proxy."""

    base_url: Annotated[str, env("FIRECRAWL_PROXY_BASE_URL")] = "http://localhost:3002"
    timeout_ms: Annotated[int, Meta(ge=1000, le=300_000), env("FIRECRAWL_PROXY_TIMEOUT")] = 30_000


class Settings(Struct, frozen=True, kw_only=True):
    """The whole tree. Paths are absolute."""

    root: Path = ROOT
    environment: Annotated[Literal["development", "production"], env("TRADINGSYSTEM_ENV", "NODE_ENV")] = "development"
    log_level: Annotated[Literal["debug", "info", "warn", "warning", "error"], env("LOG_LEVEL")] = "info"
    data_dir: Annotated[Path, env("TRADINGSYSTEM_DATA_DIR")] = Path(".data/demo")
    downloads_dir: Annotated[Path, env("TRADINGSYSTEM_DOWNLOADS_DIR")] = Path(".data/downloads")
    maven_url: Annotated[str | None, env("TRADINGSYSTEM_MAVEN_URL")] = None
    inbox: Annotated[str | None, env("TRADINGSYSTEM_INBOX_DIR")] = None
    papers_dir: Annotated[Path, env("TRADINGSYSTEM_PRD_DIR")] = Path("docs/prd")
    alerts: Annotated[str, env("TRADINGSYSTEM_ALERT_URLS")] = ""  # hold passwords and tokens: never in a message
    probe_allow: Annotated[str, env("DOCUMENTATION_PROBE_ALLOW")] = ""  # host:port of this network
    prometheus_url: Annotated[str, env("PROMETHEUS_URL")] = "http://localhost:9090"
    library_strategy: Annotated[str, env("LIBRARY_DB_STRATEGY")] = "timescaledb"
    documentation_strategy: Annotated[str, env("DOCUMENTATION_DB_STRATEGY")] = "postgres"
    questdb: QuestDB = field(default_factory=QuestDB)
    postgres: Postgres = field(default_factory=Postgres)
    b3: B3 = field(default_factory=B3)
    spool: Spool = field(default_factory=Spool)
    stream: Stream = field(default_factory=Stream)
    access: Access = field(default_factory=Access)
    limits: Limits = field(default_factory=Limits)
    capture: Capture = field(default_factory=Capture)
    profitdll: ProfitDll = field(default_factory=ProfitDll)
    orders: Orders = field(default_factory=Orders)
    tp_capital: TpCapital = field(default_factory=TpCapital)
    firecrawl: Firecrawl = field(default_factory=Firecrawl)
    ports: dict[str, int] = {}  # service id -> port

    @property
    def cold_dir(self) -> Path:
        """Root of the cold tier: `<table>/day=YYYY-MM-DD/`."""
        return self.data_dir / "cold"

    @property
    def import_dir(self) -> Path | None:
        """Where the embedded QuestDB takes files from; one of yours does not share our disk."""
        return None if self.questdb.external else self.data_dir / "questdb" / "import"

    @property
    def spool_dir(self) -> Path:
        """Market data that was received and not stored yet."""
        return self.data_dir / "spool"

    @property
    def orders_dir(self) -> Path:
        """Journal, its head, and the kill switch."""
        return self.data_dir / "orders"

    @property
    def raw_dir(self) -> Path:
        """Spool segments that were sent: evidence."""
        return self.data_dir / "raw"

    @property
    def inbox_dir(self) -> Path:
        """The folder whose B3 files are imported."""
        return (self.root / self.inbox).absolute() if self.inbox else self.data_dir / "inbox"

    @property
    def alert_urls(self) -> tuple[str, ...]:
        """Where alerts go, as the apprise library writes addresses."""
        return tuple(self.alerts.split())

    def allowance(self, service: str) -> Allowance:
        """How many requests a service answers to one address. A changed RATE_LIMIT_MAX is the usual figure of all."""
        name, usual = USUAL_LIMITS.get(service, ("", self.access.rate_limit_max))
        if self.access.rate_limit_max != Access().rate_limit_max:
            usual = self.access.rate_limit_max
        own = getattr(self.limits, name, None)
        window = self.limits.firecrawl_window_ms if service == "firecrawl-proxy" else None
        setting = next((n for field, names, _ in _fields(Limits) if field == name for n in names), "RATE_LIMIT_MAX")
        return Allowance(own or usual, window or self.access.rate_limit_window_ms, setting)

    def url(self, service: str, path: str = "") -> str:
        """Address of a service of the manifest on this machine."""
        return f"http://127.0.0.1:{self.ports[service]}{path}"


def load(environ: Mapping[str, str] | None = None, *, root: Path = ROOT) -> Settings:
    """Read the layers below `root` and the process environment.

    Raises SettingsError for an unknown `TRADINGSYSTEM_*` name, a value that does not fit, a file that cannot be read,
    and a broker's secret in a file that git tracks.
    """
    values = _layered(os.environ if environ is None else environ, root)
    unknown = sorted(name for name in values if name.startswith(OUR_PREFIX) and name not in variables())
    if unknown:
        raise SettingsError(f"unknown setting {', '.join(unknown)}: no setting has that name; see .env.example")
    tree = _tree(Settings, values)
    tree["root"] = root
    for name in ("data_dir", "downloads_dir", "papers_dir"):
        if name in tree:
            tree[name] = Path(tree[name])
        tree[name] = (root / tree.get(name, getattr(Settings(), name))).absolute()
    tree["ports"] = _ports(values)
    tree["orders"]["max_positions"] = _positions(values)
    stored = secrets.read(tree["data_dir"])
    hot, warm = tree["questdb"], tree["postgres"]
    if "rest_url" not in hot:  # a server of yours does not know the passwords of ours
        hot.setdefault("password", stored.get("questdb"))
        hot.setdefault("reader_password", stored.get("questdb_reader"))
    hot["http_port"] = tree["ports"]["questdb"]
    warm["port"] = tree["ports"]["postgres"]
    warm["passwords"] = stored
    settings = msgspec.convert(tree, Settings, strict=False, dec_hook=_path)
    _check_money(settings.orders)
    _check_strategies(settings)
    return settings


def variables() -> dict[str, tuple[type[Struct], str]]:
    """Every environment variable that sets something: name -> (Struct, field)."""
    found: dict[str, tuple[type[Struct], str]] = {
        name: (Settings, "ports") for service in manifest.services() for name in service.port_variables
    }
    hints: Iterable[Any] = get_type_hints(Settings).values()
    owners: list[type[Struct]] = [Settings, *(h for h in hints if isinstance(h, type) and issubclass(h, Struct))]
    for owner in owners:
        for name, names, _ in _fields(owner):
            found.update(dict.fromkeys(names, (owner, name)))
    return found


def _layered(environ: Mapping[str, str], root: Path) -> dict[str, str]:
    values: dict[str, str] = {}
    for layer in LAYERS:
        path = root / layer
        try:
            found = dotenv_values(path, interpolate=False, encoding="utf-8") if path.is_file() else {}
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path} cannot be read as UTF-8 text: {error}") from error
        values |= {name: value for name, value in found.items() if value}
        told = [name for name in SECRETS if found.get(name)] if layer in TRACKED else []
        if told:
            raise SettingsError(f"{path} sets {', '.join(told)}: secrets belong in .env.local, which git never sees")
    return values | {name: value for name, value in environ.items() if value}


def _fields(owner: type[Struct]) -> Iterator[tuple[str, tuple[str, ...], Any]]:
    for name, hint in get_type_hints(owner, include_extras=True).items():
        metas = [meta for meta in get_args(hint)[1:] if isinstance(meta, Meta)] if get_origin(hint) is Annotated else []
        names = tuple(n for meta in metas for n in (meta.extra or {}).get("env", ()))
        yield name, names, hint


def _tree(owner: type[Struct], values: Mapping[str, str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, names, hint in _fields(owner):
        if isinstance(hint, type) and issubclass(hint, Struct):
            tree[name] = _tree(hint, values)
            continue
        chosen = next((n for n in names if n in values), None)
        if chosen is None:
            continue
        try:
            msgspec.convert(values[chosen], hint, strict=False, dec_hook=_path)
        except msgspec.ValidationError as error:
            raise SettingsError(f"{chosen}={values[chosen]!r}: {error}") from error
        tree[name] = values[chosen]
    return tree


def _ports(values: Mapping[str, str]) -> dict[str, int]:
    ports = {}
    for service in manifest.services():
        if service.port is None:
            continue
        chosen = next((n for n in service.port_variables if n in values), None)
        try:
            ports[service.id] = msgspec.convert(values[chosen], Port, strict=False) if chosen else service.port
        except msgspec.ValidationError as error:
            raise SettingsError(f"{chosen}={values[chosen or '']!r}: {error}") from error
    return ports


def _check_strategies(settings: Settings) -> None:
    bring = "bring its files in with `tradingsystem import lowdb FILE…` and unset the variable"
    if settings.library_strategy == "lowdb":
        raise SettingsError(f"LIBRARY_DB_STRATEGY=lowdb: LowDB is only a source of migration; {bring}")
    if settings.documentation_strategy not in ("postgres", "postgresql"):
        found = settings.documentation_strategy
        raise SettingsError(f"DOCUMENTATION_DB_STRATEGY={found}: expected postgres; of an older store, {bring}")


def _check_money(orders: Orders) -> None:
    for name, names, _ in _fields(Orders):
        value = getattr(orders, name)
        if isinstance(value, Decimal) and (not value.is_finite() or value < 0 or (value == 0 and name != "cost_share")):
            raise SettingsError(f"{names[0]}={value}: expected an amount above 0")


def _positions(values: Mapping[str, str]) -> dict[str, int]:
    found = {}
    for name, value in values.items():
        if name.startswith(POSITION_PREFIX):
            try:
                most = msgspec.convert(value, Annotated[int, Meta(ge=1, le=10_000)], strict=False)
            except msgspec.ValidationError as error:
                raise SettingsError(f"{name}={value!r}: {error}") from error
            found[name.removeprefix(POSITION_PREFIX).upper()] = most
    return found


def _path(kind: type, value: Any) -> Any:
    if kind is Path or issubclass(kind, Path):
        return Path(value)
    raise NotImplementedError(kind)
