"""What a run of a state machine did: which rules how often, and where it broke. Told as it goes."""

import contextlib
import sys
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any

TOLD_EVERY = 250


class Diary:
    """Of one run with one seed. A tape is one table's life, a step one rule that was carried out."""

    def __init__(self, seed: int = 0, say: Callable[[str], None] = lambda line: None, tapes: int = 0) -> None:
        self.seed = seed
        self.done: Counter[str] = Counter()
        self.failed = ""
        self._say = say
        self.tapes = tapes
        self._step = 0
        self._last: deque[str] = deque(maxlen=12)
        self._began = time.monotonic()

    def begin_tape(self) -> None:
        """Steps count from one again."""
        self.tapes, self._step = self.tapes + 1, 0
        self._last.clear()

    @contextlib.contextmanager
    def step(self, name: str, arguments: dict[str, Any]) -> Iterator[None]:
        """One step; the first that fails is kept with its place, whatever is tried again after it."""
        self._step += 1
        self._last.append(f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})")
        try:
            yield
        except Exception as error:
            self._fail(error)
            raise
        self.done[name.replace("_", " ")] += 1
        if self.done.total() % TOLD_EVERY == 0:
            self._say(f"seed {self.seed}: {self.done.total()} steps, {time.monotonic() - self._began:.0f} s")

    def _fail(self, error: Exception) -> None:
        if self.failed or type(error).__module__.startswith("hypothesis"):
            return
        self.failed = (
            f"seed {self.seed}, tape {self.tapes}, step {self._step} (after {self.done.total()} steps): {error!r}\n"
            f"the last steps were:\n  " + "\n  ".join(self._last)
        )
        self._say(f"{self.failed}\n{''.join(traceback.format_exception(error))}")


def to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
