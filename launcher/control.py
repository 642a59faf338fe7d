"""The line between `up` and the other commands: loopback, a key in the data directory, one JSON question and answer."""

import threading
from collections.abc import Callable
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener, answer_challenge, deliver_challenge
from pathlib import Path
from secrets import token_bytes

import msgspec
from msgspec import Struct

from config import secrets
from launcher.errors import LauncherError
from launcher.instance import State


class Entry(Struct, frozen=True, kw_only=True):
    """One engine or service as `status` shows it."""

    name: str
    state: str
    url: str | None
    pid: int | None = None
    restarts: int = 0
    detail: str = ""


class Overview(Struct, frozen=True, kw_only=True):
    """What `status --json` prints."""

    engines: list[Entry]
    services: list[Entry]


class Question(Struct, frozen=True):
    """`status`, `down`, `stop` or `restart`; the last two name a service."""

    verb: str
    service: str | None = None


class Answer(Struct, frozen=True):
    """`error` says why it was not done."""

    overview: Overview | None = None
    error: str | None = None


class Server:
    """Answers in threads of its own, each after the other side has proven that it knows the key."""

    def __init__(self, data_dir: Path, answer: Callable[[Question], Answer]) -> None:
        self._answer = answer
        self._key = token_bytes(32)
        secrets.keep(_key_file(data_dir), self._key)
        self._listener = Listener(("127.0.0.1", 0), family="AF_INET")
        threading.Thread(target=self._accept, name="control", daemon=True).start()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._listener.address
        return str(host), int(port)

    def close(self) -> None:
        """Accept nobody any more."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: "Connection[bytes, bytes]") -> None:
        # The handshake is done here and not by Listener: there a silent stranger would block everybody else.
        try:
            deliver_challenge(connection, self._key)
            answer_challenge(connection, self._key)
            question = msgspec.json.decode(connection.recv_bytes(65_536), type=Question)
            connection.send_bytes(msgspec.json.encode(self._answer(question)))
        except (AuthenticationError, EOFError, OSError, msgspec.MsgspecError):
            pass  # not one of us, or gone: there is nobody to answer
        finally:
            connection.close()


def ask(data_dir: Path, state: State, question: Question, seconds: float) -> Answer:
    """Ask the start that runs on `data_dir`. Raises LauncherError when no answer came in time."""
    answers: list[Answer] = []
    failures: list[Exception] = []

    def talk() -> None:
        try:
            key = _key_file(data_dir).read_bytes()
            with Client(state.control or ("127.0.0.1", 0), family="AF_INET", authkey=key) as connection:
                connection.send_bytes(msgspec.json.encode(question))
                answers.append(msgspec.json.decode(connection.recv_bytes(1_048_576), type=Answer))
        except (AuthenticationError, EOFError, OSError, msgspec.MsgspecError) as error:
            failures.append(error)

    thread = threading.Thread(target=talk, daemon=True)  # neither connecting nor the handshake can be bounded
    thread.start()
    thread.join(seconds)
    if not answers:
        why = failures[0] if failures else f"no answer within {seconds:g} s"
        raise LauncherError(f"the start that runs on {data_dir} (process {state.pid}) does not answer: {why}")
    return answers[0]


def _key_file(data_dir: Path) -> Path:
    return data_dir / "run" / "control.key"
