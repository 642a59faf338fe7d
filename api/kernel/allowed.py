"""What was let in and lasts: a WebSocket goes on for as long as the one who opened it may."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable


async def while_allowed(answer: Awaitable[None], allowed: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """Let `answer` run to its end, asking every `seconds` whether it is still `allowed`; False when it was cut."""
    task = asyncio.ensure_future(answer)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=seconds)
            if not task.done() and not await allowed():
                return False
        task.result()
        return True
    finally:
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
