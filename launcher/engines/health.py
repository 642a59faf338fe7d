"""Real questions to what runs: a statement over the wire with the password, an HTTP request to the health address."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from launcher.supervisor import IllError, NotReadyError

SECONDS = 3


def http_answers(url: str) -> None:
    """GET `url`; raises NotReadyError unless the answer is 2xx, IllError for one that says what is wrong."""
    parts = urlsplit(url)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(parts.hostname or "127.0.0.1", parts.port, timeout=SECONDS)
    try:
        connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        with connection.getresponse() as answer:
            status, body = answer.status, answer.read(65_536)
    except (OSError, http.client.HTTPException) as error:
        raise NotReadyError(f"no answer from {parts.hostname}:{parts.port}: {error or type(error).__name__}") from error
    finally:
        connection.close()
    if not 200 <= status < 300:
        if wrong := _wrong(body):
            raise IllError(wrong)
        raise NotReadyError(f"{url} answered {status}")


def _wrong(body: bytes) -> str:
    """What a health answer of ours says is wrong; nothing for other answers."""
    try:
        checks = json.loads(body)["checks"]
        return "; ".join(f"{name}: {check['error']}" for name, check in checks.items() if check["status"] != "ok")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


def sql_answers(dsn: str) -> None:
    """`SELECT 1` over the PostgreSQL wire; raises NotReadyError unless 1 comes back."""
    value = sql_value(dsn, "SELECT 1")
    if value != 1:
        raise NotReadyError(f"SELECT 1 answered {value}")


def sql_value(dsn: str, statement: str) -> Any:
    """The one value of a statement; raises NotReadyError when it cannot be had."""
    import psycopg  # 0.1 s that only those pay who ask

    try:
        with psycopg.connect(dsn, connect_timeout=SECONDS, autocommit=True) as connection:
            row = connection.execute(statement).fetchone()
    except psycopg.Error as error:
        raise NotReadyError(str(error).strip().splitlines()[-1]) from error
    return row[0] if row else None


def grpc_answers(port: int, service: str) -> None:
    """The standard health question of gRPC on loopback; raises NotReadyError unless it is serving."""
    import grpc  # type: ignore[import-untyped]  # stubs would be a dependency for six lines
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            question = health_pb2.HealthCheckRequest(service=service)
            answer = health_pb2_grpc.HealthStub(channel).Check(question, timeout=SECONDS)
        except grpc.RpcError as error:
            raise NotReadyError(f"no gRPC answer from port {port}: {error.code().name}") from error
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise NotReadyError(f"gRPC service {service} is not serving")
