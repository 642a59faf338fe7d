"""A headless Chromium driven over its DevTools protocol: just what the page tests need."""

import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
)


class Page:
    """One tab."""

    def __init__(self, socket: ClientConnection, session: str) -> None:
        self._socket = socket
        self._session = session
        self._ids = itertools.count(1000)
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, **params: Any) -> Any:
        """One command and its answer; what happens in between is kept in `events`."""
        number = next(self._ids)
        request = {"id": number, "method": method, "params": params, "sessionId": self._session}
        self._socket.send(json.dumps(request))
        while True:
            message = json.loads(self._socket.recv(timeout=60))  # longer than a page waits in `until`
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    def value(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression: str, seconds: float = 20) -> Any:
        """The value of an expression once it is true; the page itself waits for it."""
        waiting = f"""new Promise((done, fail) => {{
            const end = Date.now() + {seconds * 1000};
            const look = () => {{ const found = {expression};
                if (found) done(found);
                else if (Date.now() > end) fail(new Error({json.dumps(expression)} + " never held"));
                else setTimeout(look, 50); }};
            look(); }})"""
        return self.value(waiting)

    def open(self, url: str, *, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
        """Load `url` in a window of that size with the system's colours set to `scheme`."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url=url)
        self.until(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")

    def shot(self, path: Path) -> None:
        """A picture of the whole page."""
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    def complaints(self) -> list[str]:
        """Errors of scripts, of the console and of the content security policy so far."""
        self.value("0")
        found = []
        for event in self.events:
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(json.dumps(event["params"]["exceptionDetails"]))
            if event.get("method") == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
                found.append(event["params"]["entry"]["text"])
        return found

    def hosts(self) -> set[str]:
        """Every origin the page sent a request to."""
        urls = (e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent")
        return {"/".join(url.split("/")[:3]) for url in urls}


@contextlib.contextmanager
def page(profile: Path) -> Iterator[Page]:
    """A tab of a Chromium of our own that ends with the block. A missing Chromium is a failure, never a skip."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    assert program, "chromium is not installed"
    process = subprocess.Popen([program, *FLAGS, f"--user-data-dir={profile}"], stderr=subprocess.DEVNULL)
    try:
        port, path = _endpoint(process, profile / "DevToolsActivePort")
        with connect(f"ws://127.0.0.1:{port}{path}", max_size=None, origin=None, proxy=None) as socket:
            target = _call(socket, 1, "Target.createTarget", url="about:blank")["targetId"]
            session = _call(socket, 2, "Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            yield Page(socket, session)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _endpoint(process: subprocess.Popen[bytes], file: Path) -> tuple[str, str]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        lines = file.read_text().splitlines() if file.exists() else []
        if len(lines) == 2:
            return lines[0], lines[1]
        time.sleep(0.05)  # Chromium says by this file alone that it listens
    raise AssertionError(f"chromium did not start: exit code {process.poll()}")


def _call(socket: ClientConnection, number: int, method: str, **params: Any) -> Any:
    socket.send(json.dumps({"id": number, "method": method, "params": params}))
    while True:
        message = json.loads(socket.recv(timeout=20))
        if message.get("id") == number:
            return message["result"]
