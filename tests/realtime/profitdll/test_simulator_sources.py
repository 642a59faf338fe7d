"""Other sources than the generator: a tape, a load after a restart, and events at random moments."""

import datetime as dt
import struct

from tests.realtime.profitdll import emitted

START = "start 2026-11-20 10:30:00"
EPOCH = dt.datetime(1970, 1, 1)


def tape(path, trades, symbols=(("WINZ26", b"F", 5.0, 1, 0.2), ("TAPE3", b"B", 0.01, 100, 1.0))):
    """A file of the README's layout; trades are (symbol, number, time, price, quantity, type), edits end with a 1."""
    table = b"".join(struct.pack("<24sc7xdqd8x", name.encode(), *rest) for name, *rest in symbols)
    records = b"".join(
        struct.pack(
            "<IIqdqdiiBB14x",
            s,
            n,
            int((t - EPOCH).total_seconds() * 1000 + 0.5),
            p,
            q,
            p * q,
            3,
            85,
            kind,
            *(flag or (0,)),
        )
        for s, n, t, p, q, kind, *flag in trades
    )
    path.write_bytes(struct.pack("<8sIIQ40x", b"SIMTAPE1", len(symbols), 64, len(trades)) + table + records)


def some(count, apart_ms):
    first = dt.datetime(2026, 11, 19, 10)
    return [
        (k % 2, 10 * (k + 1), first + dt.timedelta(milliseconds=apart_ms * k), 100.0 + k % 7, 100 + k, 2 + k % 2)
        for k in range(count)
    ]


def test_a_tape_is_told_whole_and_as_history_at_full_speed(market, tmp_path):
    trades = some(20_000, 100)
    tape(tmp_path / "day.tape", trades)
    client = market(f"source tape {tmp_path / 'day.tape'}", "await 2", "speed max", "history-rate 0")
    client.subscribe("WINZ26")
    client.subscribe("TAPE3", exchange="B")
    client.wait(lambda: len(client.trades()) == 20_000, 30)
    told = [(t.ticker == "TAPE3", t.number, t.time, t.price, t.quantity, t.type) for t in client.trades()]
    past = client.whole_history("WINZ26", "19/11/2026 10:01:00", "19/11/2026 10:02:00")

    assert told == [(bool(s), *rest) for s, *rest in trades]
    assert [t.number for t in past] == [n for s, n, t, *_ in trades if s == 0 and t.minute == 1 and t.hour == 10]
    assert client.clock() == trades[-1][2]


def test_a_tape_keeps_its_time(market, tmp_path):
    tape(tmp_path / "day.tape", some(4000, 100))
    client = market(f"source tape {tmp_path / 'day.tape'}", "await 2", "speed 20")
    client.subscribe("WINZ26")
    client.subscribe("TAPE3", exchange="B")

    def behind():
        last = client.trades()[-1].time
        return client.clock() - last

    client.wait(lambda: len(client.trades()) > 20)

    assert behind() >= dt.timedelta(0)
    client.wait(lambda: behind() < dt.timedelta(seconds=8))  # who was held up looks once more


def test_a_file_that_is_no_tape_fails_the_login(market, tmp_path):
    (tmp_path / "day.tape").write_bytes(b"no tape" * 30)
    client = market(f"source tape {tmp_path / 'day.tape'}", ready=False)

    assert client.started < 0
    assert "SIMTAPE1" in client.last_error()


def test_a_load_goes_on_after_the_last_number_of_the_proof(market, tmp_path):
    seen = []
    for _ in range(2):
        client = market(START, "rate 5000 count 1000", f"emitted {tmp_path / 'proof'}")
        client.subscribe("WINX99")
        client.wait(lambda client=client: len(client.trades()) == 1000)
        client.close()
        seen += [trade.number for trade in client.trades()]
    proof = emitted.read(tmp_path / "proof")

    assert seen == list(range(10, 20_010, 10))
    assert [(entry.run, entry.first, entry.last, entry.count) for entry in proof.entries] == [
        (0, 10, 10_000, 1000),
        (1, 10_010, 20_000, 1000),
    ]


def test_random_events_come_again_and_again(market):
    client = market(START, "random market-drop every 0.1..0.2 for 0.05 lose 0..30 repeat 0..5 resubscribe")
    client.wait(lambda: client.of("state").count((2, 4)) > 4)

    assert client.of("state").count((2, 0)) > 2
