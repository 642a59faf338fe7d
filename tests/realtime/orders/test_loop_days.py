"""The loop over several days: sessions begin, and what ended long ago stays ended."""

from tests.realtime.orders.scenes import scene

DAYS_LATER = 3 * 24 * 3600


def test_an_order_that_was_let_go_is_not_adopted_when_an_old_list_still_has_it(tmp_path):
    with scene(tmp_path) as s:
        resting = s.place(3, "129000", time_in_force="GTC")
        filled = s.place(2)
        s.broker.fill(filled.order.exchange_id, 2)
        s.settle()
        s.clock.move(DAYS_LATER)
        s.settle(70)

        assert filled.order.id not in s.ledger.entries
        assert [entry.order.id for entry in s.ledger.working.values()] == [resting.order.id]
        assert not [entry for entry in s.ledger.entries.values() if entry.foreign]
        assert s.ledger.nets("1:0042") == {"WINZ26": 2}
        assert not s.ledger.differences
