"""Settings of the hot and the warm tier: embedded ones on loopback, or servers of yours."""

from typing import Annotated
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from msgspec import Meta, Struct

from config.variables import Port, SettingsError, env


class QuestDB(Struct, frozen=True, kw_only=True):
    """The hot tier. `rest_url` set means a server of yours; unset means the embedded one on loopback."""

    rest_url: Annotated[str | None, env("QUESTDB_REST_URL", "QUESTDB_HTTP_URL")] = None
    host: Annotated[str, env("QUESTDB_HOST")] = "127.0.0.1"
    pg_port: Annotated[Port, env("QUESTDB_PG_PORT")] = 8812
    user: Annotated[str, env("QUESTDB_USER")] = "admin"
    password: Annotated[str | None, env("QUESTDB_PASSWORD")] = None
    reader_user: Annotated[str, env("QUESTDB_READER_USER")] = "reader"
    reader_password: Annotated[str | None, env("QUESTDB_READER_PASSWORD")] = None
    heap: Annotated[str, Meta(pattern=r"^\d+[mg]$"), env("QUESTDB_HEAP")] = "1g"
    http_port: Port = 9000  # from the manifest

    @property
    def external(self) -> bool:
        return self.rest_url is not None

    @property
    def url(self) -> str:
        """Base URL of the HTTP interface, without a slash at the end."""
        return (self.rest_url or f"http://{self.host}:{self.http_port}").rstrip("/")

    @property
    def auth(self) -> tuple[str, str] | None:
        """User and password of the HTTP interface; the embedded one stands on loopback and asks for none."""
        return (self.user, self.password) if self.external and self.password else None

    @property
    def pg_host(self) -> str:
        return (urlsplit(self.url).hostname or self.host) if self.external else self.host

    def pg_dsn(self, *, reader: bool = False) -> str:
        """libpq DSN of the PG wire; `reader` may only select."""
        user, password = (self.reader_user, self.reader_password) if reader else (self.user, self.password)
        credentials = f"{quote(user, safe='')}:{quote(password or 'quest', safe='')}"
        return f"postgresql://{credentials}@{self.pg_host}:{self.pg_port}/qdb"


class Postgres(Struct, frozen=True, kw_only=True):
    """The warm tier. `admin_url` set means a cluster of yours (a role that may create roles and databases)."""

    admin_url: Annotated[str | None, env("TRADINGSYSTEM_POSTGRES_URL")] = None
    host: Annotated[str, env("FRONTEND_APPS_DB_HOST")] = "127.0.0.1"
    port: Port = 5444  # from the manifest
    warm_url: Annotated[str | None, env("TIMESCALEDB_DSN")] = None
    dagster_url: Annotated[str | None, env("DAGSTER_DATABASE_URL")] = None
    workspace_url: Annotated[str | None, env("WORKSPACE_DATABASE_URL")] = None
    documentation_url: Annotated[str | None, env("DOCUMENTATION_DATABASE_URL")] = None
    passwords: dict[str, str] = {}  # role -> password, from the data directory's secrets

    @property
    def external(self) -> bool:
        return self.admin_url is not None

    def admin_dsn(self, database: str = "postgres") -> str:
        """DSN of the administrator on `database`: migrations only."""
        if self.admin_url:
            return urlunsplit(urlsplit(self.admin_url)._replace(path=f"/{database}"))
        return self._dsn("frontend_admin", database)

    def dsn(self, role: str, database: str) -> str:
        """libpq DSN of `role` on `database`. Raises SettingsError for the schema of another service."""
        for service in ("workspace", "documentation"):
            url: str | None = getattr(self, f"{service}_url")
            if url and role == f"app_{service}":
                return _without_schema(url, service)
        if role == "timescale" and self.warm_url:
            return self.warm_url
        if role == "dagster" and self.dagster_url:
            return self.dagster_url
        return self._dsn(role, database)

    def _dsn(self, role: str, database: str) -> str:
        host, port = self.host, self.port
        if self.admin_url:
            parts = urlsplit(self.admin_url)
            host, port = parts.hostname or host, parts.port or 5432
        password = self.passwords.get(role)
        credentials = quote(role, safe="") + (f":{quote(password, safe='')}" if password else "")
        return urlunsplit(("postgresql", f"{credentials}@{host}:{port}", f"/{database}", "", ""))


def _without_schema(url: str, schema: str) -> str:
    """`url` without the original's `?schema=`, which libpq does not know and our statements name themselves."""
    parts = urlsplit(url)
    asked = parse_qsl(parts.query)
    if any(name == "schema" and value != schema for name, value in asked):
        raise SettingsError(f"{schema.upper()}_DATABASE_URL: expected ?schema={schema} or none, found another one")
    return urlunsplit(parts._replace(query=urlencode([(name, value) for name, value in asked if name != "schema"])))
