"""The index of pages, while its store comes and goes."""

import asyncio

from api.documentation import library
from sql.errors import StoreUnavailableError


class Comes:
    """A store that is away when it is asked for the first time."""

    def __init__(self):
        self.asked = 0

    async def one(self, *_):
        self.asked += 1
        if self.asked == 1:
            raise StoreUnavailableError("PostgreSQL is starting")
        return {"fingerprint": library.hub.fingerprint([])}


def test_an_index_whose_store_was_away_is_made_when_it_is_back(tmp_path, monkeypatch):
    monkeypatch.setattr(library, "AGAIN_SECONDS", 0)
    store = Comes()
    asyncio.run(asyncio.wait_for(library.Library(tmp_path, store).keep_up(), 60))

    assert store.asked == 2
