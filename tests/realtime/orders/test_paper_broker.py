"""The cases of every broker against the paper one."""

import datetime as dt
from decimal import Decimal

import pytest

from realtime.orders.matching import Trade
from realtime.orders.paper import ACCOUNT, Model, PaperBroker
from tests.realtime.orders.broker_cases import CASES
from tests.realtime.orders.broker_stage import Stage

OPEN = dt.datetime(2026, 11, 19, 13, 30, tzinfo=dt.UTC)  # a Thursday, half past ten in São Paulo
LACKING = {
    "fill-first": "a paper cancel takes effect at once",
    "remainder": "a paper cancel takes effect at once",
    "cancel-first": "a paper cancel takes effect at once",
    "reject-cancel": "the paper exchange turns down what is over, nothing else",
    "reject": "it refuses before it takes an order, never after",
    "drop": "it has no way on which an order gets lost",
    "duplicate": "it tells everything once",
    "late": "it tells everything in order",
    "skip": "it has no statuses in between",
    "not-found": "its news carry the details",
    "newer": "its news carry the details",
    "link": "it is always there",
    "hang": "it never waits",
    "foreign": "nobody else trades on it",
}


class PaperStage(Stage):
    powers = frozenset({"parts", "parts of the book", "close", "restart"})
    poll_seconds = 0.0

    def __init__(self, path):
        super().__init__(ACCOUNT)
        self.memory = path.with_name("memory.json")
        self.now = self.began = OPEN
        self.sizes = []
        self.broker = PaperBroker(path, model=Model(), now=lambda: self.now)

    def market(self):
        self.now += dt.timedelta(milliseconds=10)
        size = self.sizes.pop(0) if self.sizes else 100
        self.broker.trade(Trade(symbol=self.symbol, price=Decimal(131250), quantity=size))

    def bring(self, power, *figures):
        if power == "parts":
            self.sizes = [1, 2]
        elif power == "parts of the book":
            self.sizes = [2]
        elif power == "close":
            self.now = OPEN.replace(hour=21, minute=25)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return PaperStage(tmp_path_factory.mktemp("paper") / "paper.jsonl")


def test_the_powers_that_paper_lacks_are_those_that_are_said():
    assert {case.needs for case in CASES.values() if case.needs} == PaperStage.powers | LACKING.keys()


@pytest.mark.parametrize(
    "case",
    [case for case in CASES.values() if case.needs not in LACKING],
    ids=lambda case: f"{case.number}-{case.title}",
)
def test_the_case_holds(case, shared, tmp_path):
    path = tmp_path / "paper.jsonl"
    if case.after:
        before = PaperStage(path)
        CASES[case.after].run(before)
        before.broker.close()
    case.run(PaperStage(path) if case.alone else shared)
