"""The stage of the cases over ProfitDLL's simulator. A process connects once: `python -m` this module plays in its own.

`NUMBERS` in the arguments are the cases to play, one after the other on one login; the last line is a JSON of what each
one raised. State that must outlive the process lies in FOLDER.
"""

import ctypes
import datetime as dt
import json
import os
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from config.settings import ROOT
from realtime.orders.broker import AccountId
from sql.exchange import SAO_PAULO
from tests.realtime.orders.broker_stage import Stage
from tests.realtime.profitdll.market_client import counters
from tests.realtime.profitdll.pumped import simulator

HOPS = {1: "connection", 3: "mercury", 24: "risk", 5: "hades", 7: "broker", 9: "market"}
SLOW = ("parts", "parts of the book", "remainder")
PASSWORD = "secret"
SCRIPT = f"""\
seed 7
handshake 40
start 2026-11-19 10:30:00
symbol WINX99 F price 131250 tick 5 lot 1 rate 50
symbol WDOX99 F price 5412.5 tick 0.5 lot 1 rate 0
latency 1
accounts after 5 rest 15
order history 20
order plain-stops
daily-every 100000
strict
routing-password {PASSWORD}
"""


def played(folder: Path, numbers: list[int], *lines: str) -> dict[int, str]:
    """What the cases raised, by number; an empty text for those that hold."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SIMULATOR": str(simulator())}
    command = [sys.executable, "-P", "-W", "error", "-m", __name__, str(folder), *map(str, numbers), *lines]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False, env=environment)
    assert done.returncode == 0, done.stderr + done.stdout
    return {int(number): said for number, said in json.loads(done.stdout.splitlines()[-1]).items()}


class ProfitStage(Stage):
    """Capture's drain over the real interop hands its control events to the broker."""

    powers = frozenset(
        {
            "parts",
            "parts of the book",
            "fill-first",
            "remainder",
            "cancel-first",
            "reject-cancel",
            "close",
            "reject",
            "drop",
            "duplicate",
            "late",
            "skip",
            "not-found",
            "newer",
            "restart",
            "link",
            "hang",
            "foreign",
        }
    )

    def __init__(self, folder: Path, *lines: str) -> None:
        super().__init__(AccountId(3001, "000123"))
        from realtime import simulated
        from realtime.capture import Capture, Login
        from realtime.profitdll.adapter import ProfitDll
        from realtime.profitdll.broker import ProfitBroker
        from realtime.spool.writer import Spool
        from realtime.subscriptions import Subscriptions, parsed
        from realtime.watch import Limits

        self.memory = folder / "memory.json"
        self.began = dt.datetime(2026, 11, 19, 10, tzinfo=SAO_PAULO)
        library = Path(os.environ["SIMULATOR"])
        script = folder / "script.txt"
        script.write_text(SCRIPT + "\n".join(lines) + "\n", encoding="utf-8")
        simulated.load(library, script)
        self.library = ctypes.CDLL(str(library))
        self.dll = dll = ProfitDll(library)
        self.waiter = dll.waiter(5)  # any number that nobody else has
        self.broker = ProfitBroker(dll, PASSWORD)
        self.stop = threading.Event()
        self.capture = Capture(
            dll,
            Spool.open(folder / "spool", source="simulator"),
            Subscriptions(folder / "subscriptions.json", parsed("WINX99")),
            self.stop,
            login=Login("key", "user", "password", routing=True),
            limits=Limits(),
            orders=self.broker.hear,
        )
        self.thread = threading.Thread(target=self.capture.run, daemon=True)
        self.thread.start()
        self.until(lambda: self.broker.ready and self.capture.standing().link == "Active")

    def close(self) -> None:
        self.stop.set()
        self.thread.join(10)
        self.broker.close()

    def command(self, line: str) -> None:
        units = (line + "\0").encode("utf-16-le")
        text = (ctypes.c_uint16 * (len(units) // 2)).from_buffer_copy(units)
        assert self.library.SimCommand(text) == 0, line

    def bring(self, power: str, *figures: int) -> None:
        """The simulator's words for it. Some are told slowly, so that each state can be read before the next."""
        self.command(f"latency {20 if power in SLOW else 1}")
        words: dict[str, Any] = {
            "parts": "order partial next 1 split {0}",
            "parts of the book": "order partial next 1 split {0}",
            "fill-first": "order race fill-first next 1",
            "remainder": "order race remainder next 1",
            "cancel-first": "order race cancel-first next 1",
            "reject-cancel": "order reject-cancel {0} 1",
            "drop": "order drop next 1",
            "duplicate": "order duplicate next 1 times {0} {0}",
            "late": "order late next 1",
            "skip": "order skip next 1",
            "not-found": "order not-found {0}",
            "newer": "order newer next 1",
        }
        if power == "reject":
            self.command(f'order reject {HOPS[figures[0]]} next 1 text "limite"')
        elif power == "link":
            self.command("routing 5" if figures[0] else "routing 0")
        elif power == "foreign":
            self.sent_by_hand()
        elif power == "hang":
            self.settle()
            self.broker.call_seconds = 1.5
            self.command(f"hang {figures[0]}")
        elif power == "close":  # of a script that has an end of trading
            self.command("pass 60")
        else:
            self.command(words[power].format(*figures))

    def settle(self) -> None:
        """Until neither the desk nor the broker has a call left to make: the next one is the test's own."""
        assert self.capture._desk.ask("nothing", lambda: None).wait(10)
        idle = threading.Event()
        self.broker._worker.soon(idle.set)
        assert idle.wait(10)

    def quiet(self, seconds: float = 0.3) -> None:
        """The same, once the simulator has nothing more to tell and all that it told has been taken from the ring."""
        self.until(self._is_still, "nothing on its way")
        self.settle()
        super().quiet(seconds)

    def _is_still(self) -> bool:
        table = counters(self.library)
        control = self.waiter.wait(self.dll.market.head, 0.0, control=True)
        return table.timers_waiting == table.queue_depth == control == 0

    def sent_by_hand(self) -> None:
        """An order of the account that did not go through our broker."""
        from realtime.profitdll.requests import Asset, NewOrder, OrderType, Side

        order = NewOrder(
            account=self.account,
            asset=Asset(self.symbol, "F"),
            side=Side.BUY,
            kind=OrderType.LIMIT,
            quantity=1,
            price=100000.0,
        )
        self.broker._dll.send_order(order, PASSWORD)  # type: ignore[attr-defined]


def main() -> None:
    """Play the cases of the arguments; a word that is no number is a line of the script."""
    from tests.realtime.orders.broker_cases import CASES

    folder, *words = sys.argv[1:]
    numbers = [int(word) for word in words if word.isdecimal()]
    stage = ProfitStage(Path(folder), *(word for word in words if not word.isdecimal()))
    said = {}
    for number in numbers:
        try:
            CASES[number].run(stage)
            said[number] = ""
        except Exception:
            said[number] = traceback.format_exc()
    stage.close()
    sys.stdout.write(f"\n{json.dumps(said)}\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
