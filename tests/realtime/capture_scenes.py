"""What capture is put through; each scene runs in a process of its own, `python -m` this module with SCENE and FOLDER.

A scene answers with what it saw, as JSON on the last line; the spool stays in FOLDER.
"""

import ctypes
import datetime as dt
import json
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from config.settings import ROOT
from tests.realtime.profitdll.market_client import Counters, counters
from tests.realtime.profitdll.pumped import simulator

OPEN = dt.datetime(2026, 11, 19, 15, tzinfo=dt.UTC)  # a Thursday, noon in São Paulo
NIGHT = dt.datetime(2026, 11, 20, 4, tzinfo=dt.UTC)
NOON = "start 2026-11-19 12:00:00\n"  # not whatever it is now: around midnight a market has its opening
QUIET = f"{NOON}symbol WINX99 F price 131250 tick 5 lot 1 rate 0\ndaily-every 100000\n"
BUSY = f"{NOON}symbol-rate 200\ndaily-every 100000\n"
PATIENCE = 20.0


def played(scene: Callable[["Stage"], Any], folder: Path) -> Any:
    """What a scene answers."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SIMULATOR": str(simulator())}
    command = [sys.executable, "-P", "-W", "error", "-m", __name__, scene.__name__, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False, env=environment)
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout.splitlines()[-1])


class Stage:
    """One capture over the real interop and the simulator, on a thread; the clock of its day can be set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.today = OPEN
        self.raised: str | None = None
        self.logs: list[Any] = []

    def begin(
        self, script: str, symbols: str, *, depth: str = "", history: dict[str, float] | None = None, **limits: Any
    ) -> None:
        """Log in; nothing is awaited."""
        import structlog

        from realtime import simulated
        from realtime.capture import Capture, Login
        from realtime.history import Limits as HistoryLimits
        from realtime.profitdll.adapter import ProfitDll
        from realtime.spool.writer import Spool
        from realtime.subscriptions import Subscriptions, parsed
        from realtime.watch import Limits

        structlog.configure(processors=[lambda _, __, entry: self.logs.append(entry) or ""])
        path = self.folder / "script.txt"
        path.write_text(f"handshake 40\n{script}", encoding="utf-8")
        library = Path(os.environ["SIMULATOR"])
        simulated.load(library, path)
        self.dll = ProfitDll(library)
        self.subscriptions = Subscriptions(self.folder / "subscriptions.json", parsed(symbols, depth))
        self.stop = threading.Event()
        self.capture = Capture(
            self.dll,
            Spool.open(self.folder / "spool", source="simulator"),
            self.subscriptions,
            self.stop,
            login=Login("key", "user", "password", routing=True),
            limits=Limits(**limits),
            history=HistoryLimits(**history or {}),
            now=lambda: self.today,
        )
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.capture.run()
        except Exception as error:
            self.raised = f"{type(error).__name__}: {error}"

    @property
    def now(self) -> Any:
        return self.capture.standing()

    def until(self, holds: Callable[[Any], object], seconds: float = PATIENCE) -> Any:
        """The first standing for which `holds`."""
        deadline = time.monotonic() + seconds
        while not holds(standing := self.now):
            assert time.monotonic() < deadline, (standing, self.logs[-5:])
            time.sleep(0.005)
        return standing

    def active(self) -> Any:
        return self.until(lambda now: now.link == "Active")

    def more(self, records: int = 20) -> Any:
        """Until so many more records have come."""
        since = self.now.records
        return self.until(lambda now: now.records >= since + records)

    def simulated(self) -> Counters:
        """The simulator's own figures."""
        return counters(ctypes.CDLL(os.environ["SIMULATOR"]))

    def caught_up(self) -> None:
        """Until all that was asked for is done, and what was told by then is in the spool."""
        assert self.capture._desk.ask("nothing", lambda: None).wait(PATIENCE)
        self.until(lambda now: self.simulated().queue_depth == 0 and now.records == self.dll.market.head)

    def told_whole(self, seconds: float = PATIENCE) -> None:
        """Until the simulator's tape or day is over, and all of it in the spool."""
        self.until(lambda _: self.simulated().load_done, seconds)
        self.caught_up()

    def command(self, line: str) -> None:
        """A line of the script, now."""
        from realtime.simulated import _text

        assert ctypes.CDLL(os.environ["SIMULATOR"]).SimCommand(_text(line)) == 0, line

    def end(self) -> float:
        """An ordered end; how long it took."""
        began = time.monotonic()
        self.stop.set()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        return time.monotonic() - began

    def links(self) -> list[str]:
        """The link after each state event of the market data."""
        return [entry["link"] for entry in self.logs if entry["event"] == "state" and entry["channel"] == 2]


def steady(stage: Stage) -> Any:
    stage.begin(BUSY, "WINX99 DEMO4", close_seconds=15.0)
    stage.active()
    standing = stage.more(200)
    return {"symbols": standing.symbols, "ended_in": stage.end(), "raised": stage.raised, "records": stage.now.records}


def drop_and_return(stage: Stage) -> Any:
    stage.begin(BUSY, "WINX99 DEMO4", depth="DEMO4")
    stage.active()
    stage.more()
    stage.command("market drop for 20")
    down = stage.until(lambda now: now.trouble)
    stage.command("pass 20")
    stage.until(lambda now: now.reconnects == 1)
    stage.active()
    stage.more(300)
    stage.end()
    return {"down": [down.link, down.trouble], "symbols": stage.now.symbols}


def slow(stage: Stage) -> Any:
    stage.begin(f"{BUSY}queue 4096\nslow-consumer 60\n", "WINX99 DEMO4")
    stage.active()
    stage.command("degraded 3")
    server = stage.until(lambda now: now.trouble == "the feed is slow").link
    stage.active()
    stage.command("freeze 3")
    frozen = stage.until(lambda now: now.trouble == "the DLL says that it hangs").link
    stage.until(lambda now: now.market == 4 and now.link == "Active" and now.idle_seconds < 0.5)
    stage.more()
    said = [entry["word"] for entry in stage.logs if entry["event"] == "state" and entry["channel"] == 2]
    stage.end()
    return {"server": server, "frozen": frozen, "words": said}


def unknown_symbol(stage: Stage) -> Any:
    from realtime.subscriptions import Wanted

    stage.begin(BUSY, "WINX99 NADA3")
    told = stage.until(lambda now: now.unknown_symbols and now.link == "Active")
    stage.subscriptions.add(Wanted(symbol="NADA4", market="B", offers=True))
    stage.capture.follow()
    later = stage.until(lambda now: len(now.unknown_symbols) == 2)
    stage.subscriptions.remove("NADA3")
    stage.capture.follow()
    last = stage.until(lambda now: len(now.unknown_symbols) == 1)
    stage.end()
    return {
        "link": told.link,
        "symbols": told.symbols,
        "told": [told.unknown_symbols, later.unknown_symbols, last.unknown_symbols],
    }


def books_end(stage: Stage) -> Any:
    """Without a book, and then without anything: nothing more arrives."""
    from realtime.subscriptions import Wanted

    stage.begin(f"{BUSY}depth-rate 400\n", "WINX99", depth="WINX99")
    stage.active()
    stage.more(100)
    stage.subscriptions.add(Wanted(symbol="WINX99", market="F", depth=False, offers=True))
    stage.capture.follow()
    stage.caught_up()  # late events are normal
    offers = stage.more(100)
    stage.subscriptions.remove("WINX99")
    stage.capture.follow()
    stage.until(lambda now: not now.symbols)
    stage.caught_up()
    before = stage.now
    time.sleep(0.5)
    after = stage.now
    stage.end()
    return {"link": after.link, "offers": offers.symbols, "late": after.records - before.records}


def roll(stage: Stage) -> Any:
    stage.today = dt.datetime(2026, 12, 16, 20, tzinfo=dt.UTC)
    stage.begin(f"{BUSY}start 2026-12-16 12:00:00\n", "WINFUT")
    before = stage.active().symbols
    stage.more()
    stage.today = dt.datetime(2026, 12, 17, 2, 59, tzinfo=dt.UTC)  # still the sixteenth there
    time.sleep(1.2)
    still = stage.now.symbols
    stage.today = dt.datetime(2026, 12, 17, 3, 1, tzinfo=dt.UTC)
    after = stage.until(lambda now: now.symbols != before and now.symbols).symbols
    stage.caught_up()
    stage.more()
    stage.end()
    return {"before": before, "still": still, "after": after}


def hang(stage: Stage) -> Any:
    from realtime.subscriptions import Wanted

    stage.begin(BUSY, "WINX99", always_open=True, restart_seconds=4.0, close_seconds=0.5)
    stage.active()
    stage.command("hang 30")
    stage.subscriptions.add(Wanted(symbol="DEMO4", market="B"))
    stage.capture.follow()
    asked = stage.until(lambda now: now.request)
    flowing = stage.more(50)
    stage.thread.join(PATIENCE)
    return {"request": asked.request, "still": flowing.request, "raised": stage.raised}


def silence(stage: Stage) -> Any:
    stage.today = NIGHT
    stage.begin(QUIET, "WINX99", silence_seconds=4.0)
    stage.active()
    time.sleep(5.5)  # longer than may be silent, were the market open
    night = stage.now
    stage.today = OPEN
    time.sleep(1.1)
    opening = stage.now
    silent = stage.until(lambda now: now.link == "Degraded")
    stage.today = NIGHT
    closed = stage.active()
    stage.end()
    seen = [night, opening, silent, closed]
    return {"links": [now.link for now in seen], "trading": [now.trading for now in seen], "why": silent.trouble}


def ask(stage: Stage, symbol: str = "WINX99", seconds: float = 60.0) -> Any:
    """Ask for the `seconds` up to now on the market's clock, and for what comes while the scene's own stands still."""
    now = stage.capture.market_now().replace(microsecond=0)
    return stage.capture.ask_history(symbol, now - dt.timedelta(seconds=seconds), now + dt.timedelta(minutes=2))


def arriving(stage: Stage) -> None:
    """Until some of the answer is there."""
    history = stage.capture.history
    stage.until(lambda _: (history.asking() or history.ended()[0]).trades > 50)
    assert history.asking(), history.ended()[0]


def answer(stage: Stage) -> Any:
    """Until the request in flight is over."""
    stage.until(lambda _: stage.capture.history.asking() is None)
    return to_builtins(stage.capture.history.ended()[0])


def past_trades(stage: Stage) -> Any:
    """What was skipped is asked for, with the bad records that history has."""
    stage.begin(
        f"{BUSY}history-rate 0\nhistory-sentinels 20\nhistory-untranslatable 20\n",
        "WINX99 DEMO4",
    )
    stage.active()
    stage.more(100)
    stage.command("skip 40 WINX99")
    stage.more(1000)
    ask(stage)
    first = answer(stage)
    ask(stage, "DEMO4")
    second = answer(stage)
    stage.end()
    return [first, second]


def history_of_others(stage: Stage) -> Any:
    """A symbol that nobody wants is subscribed for its history only; one that does not exist is refused."""
    stage.begin(f"{BUSY}history-rate 0\n", "WINX99", history={"quiet_seconds": 0.3})
    stage.active()
    stage.more(100)
    ask(stage, "WDOX99", 300)
    other = answer(stage)
    ask(stage, "NADA3")
    unknown = answer(stage)
    stage.caught_up()
    symbols = stage.more().symbols
    stage.end()
    return {"other": other, "unknown": unknown, "symbols": symbols}


def history_cut_off(stage: Stage) -> Any:
    """The link goes down in the middle of an answer; another is given up, and what still comes of it is no other's."""
    from realtime.history import BusyError

    stage.begin(
        f"{BUSY}history-rate 2000\n",
        "WINX99",
        history={"silence_seconds": 3.0, "quiet_seconds": 2.0},
    )
    stage.active()
    stage.more(100)
    ask(stage, seconds=3600)
    arriving(stage)
    stage.command("market drop for 0.5")
    lost = answer(stage)
    stage.until(lambda now: now.reconnects == 1)
    stage.active()
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            ask(stage, seconds=3600)
            break
        except BusyError:
            time.sleep(0.02)
    arriving(stage)
    stage.command("freeze 5")
    silent = answer(stage)
    stage.until(lambda now: now.idle_seconds < 0.1)
    stage.more()
    try:
        ask(stage)
        busy = None
    except BusyError as error:
        busy = str(error)
    stage.end()
    return {"lost": lost, "silent": silent, "busy": busy}


def history_unready(stage: Stage) -> Any:
    """While the link is down nothing is asked; what is in flight at the end is lost."""
    from realtime.capture import NotReadyError

    stage.begin(f"{BUSY}handshake 20000\nhistory-rate 500\n", "WINX99")
    try:
        ask(stage)
        early = None
    except NotReadyError as error:
        early = str(error)
    stage.until(lambda _: stage.simulated().queue_capacity)  # the login has begun
    stage.command("pass 20")
    stage.active()
    stage.more(100)
    ask(stage, seconds=3600)
    arriving(stage)
    stage.end()
    return {"early": early, "last": to_builtins(stage.capture.history.ended()[0])}


def tape(stage: Stage) -> Any:
    """Plays `day.tape` of the folder until it is told whole."""
    path = stage.folder / "day.tape"
    stage.begin(f'source tape "{path}"\nawait 2\nspeed max\ndaily-every 100000\n', "WINZ26 TAPE3")
    stage.active()
    stage.told_whole()
    stage.end()
    return stage.now.records


def whole_day(stage: Stage) -> Any:
    """What the script `day.txt` of the folder makes of WINX99 and DEMO4, without a disturbance, up to its `stop`."""
    script = (stage.folder / "day.txt").read_text(encoding="utf-8")
    stage.begin(f"{script}\nawait 2\n", "WINX99 DEMO4")
    stage.active()
    stage.told_whole(60)
    stage.end()
    return stage.now.records


def main() -> int:
    """Play the scene that the command line names."""
    try:
        answer = globals()[sys.argv[1]](Stage(Path(sys.argv[2])))
    except BaseException:
        traceback.print_exc()
        return 1
    sys.stdout.write(f"\n{json.dumps(answer)}\n")
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # the end of the .NET runtime takes a second, and never comes when a call hangs
