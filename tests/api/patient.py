"""httpx's functions for what another process answers: a slow machine is waited for longer than httpx does by itself."""

from functools import partial

import httpx

SECONDS = 60.0
get, post, put, delete = (partial(getattr(httpx, name), timeout=SECONDS) for name in ("get", "post", "put", "delete"))
