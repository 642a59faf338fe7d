"""A day of orders with a journal of its own key, and shippers of it."""

import itertools
import secrets
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from realtime.orders.chain import Record, journal_id, records, segments
from realtime.orders.commands import CancelAll, Release, SetLimits
from realtime.orders.limits import Change
from realtime.orders.records import Caller
from realtime.relay.shipper import Shipper
from sql.contract import Table
from sql.hot import HotStore
from sql.warm import WarmStore
from tests.realtime.orders.scenes import ANA, Scene


class Trader(Scene):
    """A scene whose journal no other test's rows are taken for."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self.key = secrets.token_bytes(8)
        self.fills = itertools.count()
        super().__init__(folder, **more)

    def start(self, **more: Any) -> None:
        super().start(key=self.key, **more)

    @property
    def journal(self) -> str:
        return journal_id(self.key)

    def trade(self, quantity: int = 2, price: str = "130000", **more: Any) -> None:
        """An order that is filled in two parts."""
        entry = self.place(quantity, price, **more)
        self.loop.step()
        exchange_id = self.order(entry.order.id).exchange_id
        for part in (1, quantity - 1):
            self.broker.fill(str(exchange_id), part, price)
            self.loop.step()

    def day(self) -> None:
        """One of nearly everything that a journal can hold."""
        self.settle()
        self.trade(3)
        self.trade(5, "130010", side="SELL", strategy="crossing")
        self.cancel(self.place(1, "129000", key="k-1\0"))
        self.loop.step()
        self.refusal(1000)
        self.ask(SetLimits(caller=ANA, change=Change(daily_loss=Decimal(900)), version=1))
        self.loop.pull("enough", Caller(user="bea"))
        self.settle(3)
        self.ask(Release(caller=Caller(user="ana"), reason="looked at: ação ✓"))
        self.restart()
        self.trade(2, "130005")
        self.ask(CancelAll(caller=ANA, reason="the end"))
        self.settle(1)
        self.headed()

    def written(self) -> list[Record]:
        return [record for each in segments(self.folder) for record in records(each.path)]


class Ship:
    """A shipper of a folder; `shipped` runs it until nothing is left."""

    def __init__(self, folder: Path, key: bytes, hot: HotStore, warm: WarmStore, **more: Any) -> None:
        self.hot = hot
        self.journal = journal_id(key)
        self.shipper = Shipper(folder, key, hot, warm, threading.Event(), **more)

    def shipped(self) -> None:
        while self.shipper.step():
            pass
        self.shipper.save()

    def rows(self, table: Table) -> pl.DataFrame:
        self.hot.wait_applied(table)
        return self.hot.frame(f"SELECT * FROM {table.name} WHERE journal = '{self.journal}'", table).sort(table.key)
