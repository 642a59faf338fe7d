"""Real questions to what runs: a statement over the wire with the password, an HTTP request to the health address."""

import http.client
from urllib.parse import urlsplit

from launcher.supervisor import NotReadyError

SECONDS = 3


def http_answers(url: str) -> None:
    """GET `url`; raises NotReadyError unless the answer is 2xx."""
    parts = urlsplit(url)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(parts.hostname or "127.0.0.1", parts.port, timeout=SECONDS)
    try:
        connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise NotReadyError(f"no answer from {parts.hostname}:{parts.port}: {error or type(error).__name__}") from error
    finally:
        connection.close()
    if not 200 <= status < 300:
        raise NotReadyError(f"{url} answered {status}")


def sql_answers(dsn: str) -> None:
    """`SELECT 1` over the PostgreSQL wire; raises NotReadyError unless 1 comes back."""
    import psycopg  # 0.1 s that only engines pay

    try:
        with psycopg.connect(dsn, connect_timeout=SECONDS, autocommit=True) as connection:
            row = connection.execute("SELECT 1").fetchone()
    except psycopg.Error as error:
        raise NotReadyError(str(error).strip().splitlines()[-1]) from error
    if row is None or row[0] != 1:
        raise NotReadyError(f"SELECT 1 answered {row}")
