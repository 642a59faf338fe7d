"""Books: the client's own, rebuilt from events by the sheet's rules, agree with accessors and with full snapshots."""

import ctypes
import math
import struct
import threading
from ctypes import byref, c_double, c_int32, c_int64, c_uint16, c_void_p

import pytest

from tests.realtime.profitdll.market_client import (
    INVALID_ARGS,
    NOT_FOUND,
    OK,
    OUT_OF_RANGE,
    VERSION,
    Group,
    narrow,
    wide,
)

START = "start 2026-11-20 10:30:00"
BUSY = (START, "symbol-rate 20", "depth-rate 2000")
ADD, EDIT, DELETE, DELETE_FROM, FULL = range(5)
D_EDIT, D_DELETE, D_INSERT, D_FULL, D_PREPARE, D_FLUSH, D_THEORETICAL, D_DELETE_FROM = 1, 2, 3, 4, 5, 6, 7, 8


class Depth:
    """Keeps the aggregated book from events alone, and compares it with the accessors after each."""

    def __init__(self, client, ticker):
        self.client, self.asset = client, client.asset(ticker)
        self.sides, self.updates, self.wrong = ([], []), [], []
        client.set("SetPriceDepthCallback", self.on_depth)

    def level(self, side, position):
        group = Group()
        assert self.client.dll.GetPriceGroup(byref(self.asset), side, position, byref(group)) == OK
        return group.price, group.quantity, group.count

    def whole(self, side):
        count = self.client.dll.GetPriceDepthSideCount(byref(self.asset), side)
        return [self.level(side, k) for k in range(count)]

    def on_depth(self, asset, side, position, update):
        self.updates.append(update)
        if update == D_FULL:
            self.sides = (self.whole(0), self.whole(1))
        elif update == D_INSERT:
            self.sides[side].insert(position, self.level(side, position))
        elif update == D_EDIT:
            self.sides[side][position] = self.level(side, position)
        elif update == D_DELETE:
            del self.sides[side][position]
        elif update == D_DELETE_FROM:
            del self.sides[side][position:]
        if self.sides != (self.whole(0), self.whole(1)):
            self.wrong.append(update)


def test_the_depth_rebuilt_from_events_is_the_accessors_book(market):
    client = market(*BUSY)
    depth = Depth(client, "WINX99")
    client.subscribe("WINX99")
    assert client.dll.SubscribePriceDepth(byref(depth.asset)) == OK
    client.wait(lambda: len(depth.updates) > 3000, 30)
    client.close()  # nothing changes any more

    assert depth.wrong == []
    assert depth.updates[:2] == [D_FULL, D_PREPARE]
    assert set(depth.updates) >= {D_EDIT, D_DELETE, D_INSERT, D_PREPARE, D_FLUSH}
    bids, asks = depth.sides
    assert [price for price, *_ in bids] == sorted((price for price, *_ in bids), reverse=True)
    assert [price for price, *_ in asks] == sorted(price for price, *_ in asks)


def test_accessors_refuse_what_is_not_there(market):
    client = market(START)
    asset, group = client.asset("WINX99"), Group()
    count, price = client.dll.GetPriceDepthSideCount, client.dll.GetPriceGroup
    assert price(byref(asset), 0, 0, byref(group)) == NOT_FOUND

    client.dll.SubscribePriceDepth(byref(asset))
    client.wait(lambda: count(byref(asset), 0) > 0)
    assert price(byref(asset), 2, 0, byref(group)) == INVALID_ARGS
    assert price(byref(asset), 0, 1000, byref(group)) == OUT_OF_RANGE
    assert price(byref(asset), 0, -1, byref(group)) == OUT_OF_RANGE
    assert price(byref(asset), 0, 0, byref(Group(version=1))) == VERSION
    assert count(None, 0) == INVALID_ARGS


def test_an_auction_shows_a_theoretical_group_of_price_minus_infinity(market):
    client = market(*BUSY)
    depth = Depth(client, "WINX99")
    client.subscribe("WINX99")
    client.dll.SubscribePriceDepth(byref(depth.asset))
    client.command("auction WINX99 for 60")
    client.wait(lambda: D_THEORETICAL in depth.updates)
    group, price, quantity = Group(), c_double(), c_int64()

    assert client.dll.GetPriceGroup(byref(depth.asset), 0, 0, byref(group)) == OK
    assert (group.price, group.flags) == (-math.inf, 1)
    assert client.dll.GetTheoreticalValues(byref(depth.asset), byref(price), byref(quantity)) == OK
    assert price.value > 100_000
    assert quantity.value > 0


class Offers:
    """Keeps the offer book as the sheet says: from worst to best, positions from the end, quantities as deltas."""

    def __init__(self, client):
        self.client, self.sides, self.pages, self.dated, self.changes = client, ([], []), 0, 0, 0
        self.frees = []
        client.set("SetOfferBookCallbackV2", self.on_offer)

    def page(self, side, address):
        if not address:
            return
        count, size = struct.unpack("<ii", ctypes.string_at(address, 8))
        data = ctypes.string_at(address, size)
        assert size == 53 * count + 12
        (flags,) = struct.unpack_from("<I", data, size - 4)
        if flags & 2:
            self.sides[side].clear()
        for k in range(count):
            price, quantity, agent, offer, length = struct.unpack_from("<dqiqH", data, 8 + 53 * k)
            assert length == 23
            self.sides[side].append([offer, price, quantity, agent])
        self.pages += 1
        self.frees.append(self.client.dll.FreePointer(c_void_p(address), c_int32(size)))

    def on_offer(self, asset, action, position, side, quantity, agent, offer, price, *rest):
        _, _, has_date, _, _, date, sell, buy = rest
        if action == FULL:
            self.page(1, sell)
            self.page(0, buy)
            return
        self.changes += 1
        book = self.sides[side]
        if has_date & 0xFF:
            self.dated += 1
            assert narrow(date)[2] == "/"
        if action == ADD:
            book.insert(len(book) - position, [offer, price, quantity, agent])
        elif action == EDIT:
            book[len(book) - 1 - position][2] += quantity
            assert book[len(book) - 1 - position][0] == offer
        elif action == DELETE:
            assert book.pop(len(book) - 1 - position)[0] == offer
        elif action == DELETE_FROM:
            del book[len(book) - 1 - position :]


def test_the_offer_book_rebuilt_from_events_is_the_next_full_book_and_the_depth(market):
    client = market(*BUSY)
    offers, depth = Offers(client), Depth(client, "WINX99")
    # The offers first: the book begins with more than a page on each side, and trades soon take some of them away.
    assert client.dll.SubscribeOfferBook(wide("WINX99"), wide("F")) == OK
    client.dll.SubscribePriceDepth(byref(depth.asset))
    client.subscribe("WINX99")
    client.wait(lambda: offers.changes > 3000, 30)
    client.close()  # the rest is delivered first
    levels = ({}, {})
    for side, book in enumerate(offers.sides):
        for _, price, quantity, _ in reversed(book):
            old = levels[side].get(price, (0, 0))
            levels[side][price] = (old[0] + quantity, old[1] + 1)

    assert offers.pages >= 4
    assert set(offers.frees) == {OK}
    assert 0.005 < offers.dated / offers.changes < 0.06
    for side in (0, 1):
        seen = {price: (quantity, count) for price, quantity, count in depth.sides[side]}
        assert seen == levels[side]
        offered = [price for _, price, _, _ in offers.sides[side]]
        assert offered == sorted(offered, reverse=side == 1)


def test_arrays_are_counted_until_released_once_with_their_size(market):
    client = market(START)
    arrays = []
    client.set("SetOfferBookCallbackV2", lambda *a: arrays.extend(p for p in a[-2:] if p and a[1] == FULL))
    client.dll.SubscribeOfferBook(wide("WINX99"), wide("F"))
    client.wait(lambda: len(arrays) == 4)
    (size,) = struct.unpack("<i", ctypes.string_at(arrays[0] + 4, 4))
    free = client.dll.FreePointer

    assert client.counters().arrays_outstanding == 4
    assert free(c_void_p(arrays[0]), size + 1) == INVALID_ARGS
    assert free(c_void_p(arrays[0]), size) == OK
    assert free(c_void_p(arrays[0]), size) == INVALID_ARGS
    counters = client.counters()
    assert (counters.arrays_outstanding, counters.double_frees, counters.wrong_sizes) == (3, 1, 1)


def test_an_unknown_asset_has_no_offer_book(market):
    client = market(START)

    assert client.dll.SubscribeOfferBook(wide("NOTHING1"), wide("F")) < 0


def test_a_queue_that_overflows_drops_book_events_counts_them_and_sends_the_book_again(market):
    client = market(START, "symbol-rate 20", "depth-rate 20000", "queue 1000")
    stuck, updates, asset = threading.Event(), [], client.asset("WINX99")

    def hold(_, side, position, update):
        updates.append(update)
        stuck.wait(20)

    client.set("SetPriceDepthCallback", hold)
    client.subscribe("WINX99")
    client.dll.SubscribePriceDepth(byref(asset))
    client.wait(lambda: client.counters().dropped[8] > 0, 20)
    stuck.set()
    client.wait(lambda: updates.count(D_FULL) > 1, 20)

    assert client.counters().queue_max < 2000
    assert client.counters().dropped[3] == 0, "no trade was dropped"


def test_the_legacy_price_book_tells_levels(market):
    client = market(*BUSY)
    sides, changes, wrong = ([], []), [], []

    def page(address):
        count, size = struct.unpack("<ii", ctypes.string_at(address, 8))
        levels = [struct.unpack_from("<dii", ctypes.string_at(address, size), 8 + 16 * k) for k in range(count)]
        wrong.append(client.dll.FreePointer(c_void_p(address), size))
        return levels

    def on_price(asset, action, position, side, quantity, count, price, sell, buy):
        changes.append(action)
        if action == FULL:
            sides[0][:], sides[1][:] = page(buy), page(sell)
            return
        book = sides[side]
        if action == ADD:
            book.insert(len(book) - position, (price, quantity, count))
        elif action == EDIT:
            book[len(book) - 1 - position] = (price, quantity, count)
        elif action == DELETE and book.pop(len(book) - 1 - position)[0] != price:
            wrong.append(price)

    client.set("SetPriceBookCallback", on_price)
    client.subscribe("WINX99")
    assert client.dll.SubscribePriceBook(wide("WINX99"), wide("F")) == OK
    client.wait(lambda: len(changes) > 1000, 30)
    client.close()

    assert set(wrong) == {OK}
    assert changes[0] == FULL
    assert [level[0] for level in sides[0]] == sorted(level[0] for level in sides[0])
    assert [level[0] for level in sides[1]] == sorted((level[0] for level in sides[1]), reverse=True)


@pytest.mark.parametrize("size", [c_uint16, c_int32])
def test_book_flags_read_the_same_in_8_and_more_bits(market, size):
    client = market(*BUSY)
    flags = set()
    client.set("SetOfferBookCallbackV2", lambda *told: flags.update(size(flag).value for flag in told[8:13]))
    client.dll.SubscribeOfferBook(wide("WINX99"), wide("F"))
    client.wait(lambda: len(flags) > 1)

    assert flags == {0, 1}
