"""The thread that makes a broker's calls of the DLL, so that whoever asks waits no longer than a stated time.

Requests come first, then what was heard, then what is to be tried again. A call that does not come back leaves its
asker with an answer: a definite no while it had not begun, nobody knows once it had.
"""

import contextlib
import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import structlog

from realtime.orders.broker import NotReadyError, NotSentError, UnclearError
from realtime.profitdll.errors import ProfitDllError

log = structlog.get_logger("orders")


class Job:
    """A call of the DLL. Whoever asked waits for `done`, or leaves."""

    def __init__(self, name: str, call: Callable[[], Any], order: str = "") -> None:
        self.name = name
        self.call = call
        self.order = order  # our id of what is sent, else empty
        self.done = threading.Event()
        self.begun: float | None = None
        self.left = False
        self.answer: Any = None
        self.error: Exception | None = None


class Worker:
    """One thread, in `turn` with everybody else who calls the DLL. `late` hears of jobs that come back after all."""

    def __init__(self, turn: contextlib.AbstractContextManager[Any], late: Callable[[Job], None]) -> None:
        self._turn = turn
        self._late = late
        self._lock = threading.Lock()  # of what is told about a job
        self._jobs: deque[Job] = deque()
        self._tasks: deque[Callable[[], None]] = deque()
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._bell = threading.Event()
        self._running: Job | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="broker", daemon=True)
        self._thread.start()

    def made(self, job: Job, seconds: float) -> Any:
        """Have a job made and wait for its answer. Raises NotReadyError, UnclearError, and what the call raised.

        Only ProfitDllErrors and NotSentErrors of a call are passed on as they are: what else it raises is unclear.
        """
        if hanging := self.hanging():
            raise NotReadyError(hanging)
        self._jobs.append(job)
        self._bell.set()
        if not job.done.wait(seconds):
            self._leave(job, seconds)
        if isinstance(job.error, ProfitDllError | NotSentError):
            raise job.error
        if job.error is not None:
            raise UnclearError(f"{job.name} broke: {job.error!r}") from job.error
        return job.answer

    def hanging(self) -> str | None:
        """Which call somebody has given up waiting for; None when there is none."""
        job = self._running
        if job is None or not job.left:
            return None
        return f"{job.name} has not come back for {time.monotonic() - (job.begun or 0):.0f} s"

    def soon(self, task: Callable[[], None]) -> None:
        """Do a task behind the requests; from any thread."""
        self._tasks.append(task)
        self._bell.set()

    def later(self, seconds: float, task: Callable[[], None]) -> None:
        """Do a task after some time; from the worker's own tasks."""
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._numbers), task))

    def close(self) -> None:
        """End, unless a call hangs: then the thread dies with the process."""
        self._stopping = True
        self._bell.set()
        self._thread.join(1.0)

    def _leave(self, job: Job, seconds: float) -> None:
        with self._lock:
            if job.done.is_set():
                return
            job.left = True
            if job.begun is None:
                raise NotReadyError(f"{job.name} was not made: the DLL is busy with something else")
            raise UnclearError(f"{job.name} has not come back within {seconds:g} s")

    def _work(self) -> None:
        while not self._stopping:
            self._bell.clear()
            if self._jobs:
                self._make(self._jobs.popleft())
            elif self._tasks:
                self._do(self._tasks.popleft())
            elif self._later and self._later[0][0] <= time.monotonic():
                self._do(heapq.heappop(self._later)[2])
            else:
                self._bell.wait(max(self._later[0][0] - time.monotonic(), 0) if self._later else None)

    def _make(self, job: Job) -> None:
        with self._turn:  # the desk of capture may be in a call, and hang there
            with self._lock:
                if job.left:
                    return
                job.begun = time.monotonic()
                self._running = job
            try:
                job.answer = job.call()
            except Exception as error:  # whoever asked has to know
                job.error = error
        with self._lock:
            self._running = None
            job.done.set()
            left = job.left
        if left:
            log.warning("call_came_back", call=job.name, seconds=round(time.monotonic() - job.begun, 3))
            self._late(job)

    def _do(self, task: Callable[[], None]) -> None:
        try:
            with self._turn:
                task()
        except Exception:  # the top of a thread: one event that cannot be handled must not silence the others
            log.exception("broker_event_failed")
