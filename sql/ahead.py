"""An iterable that is worked on in a thread of its own, a few items ahead of whoever reads it."""

import contextlib
import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
PAUSE_SECONDS = 0.2


class _End:
    """The last thing in the queue, with what went wrong."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


@contextlib.contextmanager
def ahead(items: Iterable[T], depth: int) -> Generator[Iterator[T], None, None]:
    """Iterate `items` in a thread, at most `depth` of them ahead; its errors are raised to the reader.

    The thread has ended when the block ends, whatever the reason: it may use what the block's owner closes next.
    """
    ready: queue.Queue[T | _End] = queue.Queue(depth)
    stop = threading.Event()
    worker = threading.Thread(target=_work, args=(items, ready, stop), name="ahead", daemon=True)
    worker.start()
    try:
        yield _read(ready)
    finally:
        stop.set()
        worker.join()


def _work(items: Iterable[T], ready: "queue.Queue[T | _End]", stop: threading.Event) -> None:
    end = _End()
    try:
        for item in items:
            if not _put(ready, item, stop):
                return
    except BaseException as error:  # the reader raises it again: nothing is lost here
        end = _End(error)
    finally:
        if hasattr(items, "close"):
            items.close()  # files and temporary folders are given back in the thread that opened them
    _put(ready, end, stop)


def _put(ready: "queue.Queue[T | _End]", item: T | _End, stop: threading.Event) -> bool:
    while not stop.is_set():
        try:
            ready.put(item, timeout=PAUSE_SECONDS)
        except queue.Full:
            continue
        return True
    return False


def _read(ready: "queue.Queue[T | _End]") -> Iterator[T]:
    while not isinstance(item := ready.get(), _End):
        yield item
    if item.error is not None:
        raise item.error
