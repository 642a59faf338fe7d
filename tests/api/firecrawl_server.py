"""A stand-in for Firecrawl: its paths and bodies over real HTTP, told what to do by the page that is asked for."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PAGE = {"markdown": "# A page", "links": ["https://example.com/a"], "metadata": {"title": "A page", "statusCode": 200}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "FirecrawlServer"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, body))
        trick = body["url"].rpartition("/")[2]
        if trick == "slow":
            self.server.held.wait(10)
        if trick == "garbage":
            return self.say(200, b"<html>")
        if trick == "list":
            return self.say(200, [1])
        if trick == "payment":
            return self.say(402, {"success": False, "error": "Payment required: no credits left"})
        if trick == "broken":
            return self.say(500, {"success": False, "error": "An unexpected error occurred"})
        if trick in ("302", "520"):
            return self.say(int(trick), b"")
        if trick == "silent":
            return self.say(429, b"")
        if self.path == "/v1/crawl":
            return self.say(200, {"success": True, "id": "job-1", "url": "https://api.firecrawl/v1/crawl/job-1"})
        return self.say(200, {"success": True, "data": PAGE})

    def do_GET(self):
        if self.path == "/v0/health/readiness":
            return self.say(200, {"status": "ok"})
        if self.path == "/v1/crawl/job-1":
            told = {
                "status": "completed",
                "total": 1,
                "completed": 1,
                "creditsUsed": 1,
                "data": [PAGE],
                "expiresAt": "x",
            }
            return self.say(200, {"success": True, **told})
        return self.say(404, {"success": False, "error": "Job not found"})

    def say(self, status: int, body: Any) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


class FirecrawlServer(ThreadingHTTPServer):
    """`asked` holds every path and body that came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, Any]] = []
        self.held = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def running() -> Iterator[FirecrawlServer]:
    """Answers until the block ends."""
    with FirecrawlServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.held.set()
            server.shutdown()
            thread.join()
