"""The limit: a bare Litestar handler that answers the bytes it is given, without a store or a middleware."""

import os
from pathlib import Path

from litestar import Litestar, MediaType, Response, get, post

NAMES = ("list", "get", "signals", "ticks")
LIST, ITEM, SIGNALS, TICKS = (Path(os.environ["RIVAL_BYTES"], name).read_bytes() for name in NAMES)


@get("/api/items")
async def list_items() -> Response[bytes]:
    """As many bytes as the list."""
    return Response(LIST, media_type=MediaType.JSON)


@get("/api/items/{item_id:str}")
async def get_item(item_id: str) -> Response[bytes]:
    """As many bytes as an item."""
    return Response(ITEM, media_type=MediaType.JSON)


@post("/api/items")
async def create_item() -> Response[bytes]:
    """As many bytes as an item."""
    return Response(ITEM, media_type=MediaType.JSON)


@get("/api/v1/ticks")
async def ticks() -> Response[bytes]:
    """As many bytes as the window."""
    return Response(TICKS, media_type=MediaType.JSON)


@get("/signals")
async def signals() -> Response[bytes]:
    """As many bytes as the signals."""
    return Response(SIGNALS, media_type=MediaType.JSON)


app = Litestar([list_items, get_item, create_item, signals, ticks], openapi_config=None)
