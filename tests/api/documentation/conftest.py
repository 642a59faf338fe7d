"""The documentation service on real PostgreSQL, in this process, and a system that its probes may ask."""

import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import psycopg
import pytest
from litestar.testing import TestClient

from api.documentation.service import documentation
from api.kernel.application import create_app
from tests.api.workspace.conftest import from_this_machine

KEY = "the-admin-key"
TABLES = ("systems", "ideas", "links", "files", "audit_log")


DOCUMENTS = {
    "/docs/openapi.json": b'{"openapi": "3.1.0", "info": {"title": "Theirs", "version": "1"}, "paths": {}}',
    "/other.json": b'{"openapi": "3.0.0", "info": {"title": "Other", "version": "1"}, "paths": {}}',
    "/words": b"<html>",
    "/huge": b" " * 5_000_001,
}


class Answers(BaseHTTPRequestHandler):
    """`/STATUS` is answered with that status, `/away` not at all."""

    def do_GET(self):
        if self.path == "/away":
            self.connection.close()
            return
        if self.path in DOCUMENTS:
            content = DOCUMENTS[self.path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            return
        self.send_response(int(self.path.strip("/") or 200))
        if self.path == "/302":
            self.send_header("Location", "http://169.254.169.254/latest/meta-data")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def target():
    """Address of a system on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def http(engines, target):
    """The service, asked over HTTP."""
    access = msgspec.structs.replace(engines.access, api_key=KEY, rate_limit_max=1_000_000)
    settings = msgspec.structs.replace(engines, access=access, probe_allow=target.removeprefix("http://"))
    app = create_app(settings, documentation(settings))
    app.asgi_handler = from_this_machine(app.asgi_handler)
    with TestClient(app, base_url="http://127.0.0.1:3400", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def database(engines):
    """The administrator's connection to the services' database."""
    with psycopg.connect(engines.postgres.admin_dsn("frontend_apps"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def empty(database):
    """Nothing is registered, and nothing was done."""
    tables = ", ".join(f"documentation.documentation_{name}" for name in TABLES)
    database.execute(f"TRUNCATE {tables} CASCADE")


@pytest.fixture
def made(http):
    """Makes an entity with what it needs at least, under a name of its own."""
    least = {
        "systems": lambda: {"name": f"System {uuid.uuid4()}", "type": "api"},
        "ideas": lambda: {"title": f"Idea {uuid.uuid4()}", "category": "content"},
        "links": lambda: {"title": f"Link {uuid.uuid4()}", "url": "https://docs.example.com/"},
    }

    def make(kind, **values):
        answer = http.post(f"/api/v1/{kind}", json=least[kind]() | values, headers={"x-user-id": "ana"})
        assert answer.status_code == 201, answer.text
        return answer.json()["data"]

    return make


@pytest.fixture
def uploaded(http):
    """Uploads a file."""

    def upload(name="notes.txt", content=b"hello", **fields):
        answer = http.post("/api/v1/files/upload", files={"file": (name, content)}, data=fields)
        assert answer.status_code == 201, answer.text
        return answer.json()["data"]

    return upload
