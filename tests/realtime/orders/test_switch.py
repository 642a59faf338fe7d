"""The kill switch: on means on, for every thread, after a kill, with a full disk, with a broken file."""

import datetime as dt
import threading
from pathlib import Path

import pytest

from realtime.orders import switch as module
from realtime.orders.switch import BYTES, Latch, PulledAgainError, Switch, SwitchedOffError, latched

NOW = dt.datetime(2026, 11, 18, 15, tzinfo=dt.UTC)


def latch(reason: str = "a person asked", **more: object) -> Latch:
    return Latch(reason=reason, by="ana", at=NOW, **more)  # type: ignore[arg-type]


def test_a_pulled_switch_lets_nothing_pass_and_stays_so_after_a_restart(tmp_path):
    path = tmp_path / "switch"
    first = Switch(path)
    with first.sending():
        pass
    first.pull(latch())
    again = Switch(path)  # nothing was closed: as after a kill

    for each in (first, again):
        with pytest.raises(SwitchedOffError, match="a person asked"), each.sending():
            pytest.fail("an order left")
    assert again.latch == latch()


def test_the_first_reason_stays_and_a_release_opens_it(tmp_path):
    switch = Switch(tmp_path / "switch")
    switch.pull(latch("first"))

    assert switch.pull(latch("second")).reason == "first"
    switch.release()
    assert switch.latch is None
    assert latched(tmp_path / "switch") is None


def test_a_later_wish_to_flatten_is_kept(tmp_path):
    switch = Switch(tmp_path / "switch")
    switch.pull(latch())
    switch.pull(latch(flatten=True))

    found = latched(tmp_path / "switch")
    assert found is not None
    assert found.flatten


def test_a_wish_to_flatten_that_overtakes_another_pull_stays_on_the_disk(tmp_path, monkeypatch):
    switch = Switch(tmp_path / "switch")
    keep = switch._keep

    def overtaken(*held):
        monkeypatch.undo()
        switch.pull(latch("second", flatten=True))  # of another thread, which is quicker with the disk
        keep(*held)

    monkeypatch.setattr(switch, "_keep", overtaken)
    switch.pull(latch("first"))

    assert latched(tmp_path / "switch") == latch("first", flatten=True)


def test_a_pull_while_it_is_released_wins(tmp_path, monkeypatch):
    switch = Switch(tmp_path / "switch")
    switch.pull(latch("first"))
    write, pulls = switch._write, [lambda: switch.pull(latch("second", flatten=True))]

    def written(body: bytes) -> None:
        write(body)
        if not body:
            thread = threading.Thread(target=pulls.pop())
            thread.start()
            while switch.pulls < 2:
                thread.join(0.001)

    monkeypatch.setattr(switch, "_write", written)
    with pytest.raises(PulledAgainError):
        switch.release()

    with pytest.raises(SwitchedOffError), switch.sending():
        pytest.fail("an order left")
    found = latched(tmp_path / "switch")
    assert found is not None
    assert found.flatten


def test_a_full_disk_does_not_keep_the_switch_from_being_kept(tmp_path, monkeypatch):
    switch = Switch(tmp_path / "switch")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.durable, "replace", full)
    before = (tmp_path / "switch").stat()
    switch.pull(latch("loss"))

    assert latched(tmp_path / "switch") == latch("loss")
    assert (tmp_path / "switch").stat().st_size == before.st_size == BYTES
    assert (tmp_path / "switch").stat().st_ino == before.st_ino


def test_a_disk_that_takes_nothing_leaves_the_switch_on_and_says_so(tmp_path, monkeypatch):
    switch = Switch(tmp_path / "switch")

    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(module.durable, "sync", broken)
    switch.pull(latch())

    assert switch.failed
    with pytest.raises(SwitchedOffError), switch.sending():
        pass
    with pytest.raises(OSError, match="Input/output"):
        switch.release()
    assert switch.latch is not None


@pytest.mark.parametrize("content", [b"", b"\0" * BYTES, b"deadbeef {}".ljust(BYTES), b"{}"])
def test_a_file_that_nobody_wrote_means_on(tmp_path, content):
    (tmp_path / "switch").write_bytes(content)

    assert Switch(tmp_path / "switch").latch is not None


def test_every_flipped_bit_of_a_released_switch_means_on_or_changes_nothing(tmp_path):
    path = tmp_path / "switch"
    Switch(path).close()
    whole = path.read_bytes()
    for at in range(16):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])

        assert Switch(path).latch is not None


def test_a_missing_file_means_on_where_orders_were_sent_before(tmp_path):
    assert Switch(tmp_path / "new").latch is None
    assert Switch(tmp_path / "lost", used_before=True).latch is not None
    assert Switch(tmp_path / "lost").latch is not None  # and it was written down


def test_pull_waits_for_each_send_that_had_begun_and_nothing_begins_after_it(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SEND_SECONDS", 60.0)
    switch = Switch(tmp_path / "switch")
    inside, finish, pulled = threading.Event(), threading.Event(), threading.Event()

    def send() -> None:
        with switch.sending():
            inside.set()
            finish.wait(10)

    def pull() -> None:
        switch.pull(latch())
        pulled.set()

    sender, puller = threading.Thread(target=send), threading.Thread(target=pull)
    sender.start()
    assert inside.wait(10)
    with switch.sending():
        pass  # another one, which has come back
    puller.start()
    assert not pulled.wait(0.1)
    finish.set()
    sender.join(10)
    puller.join(10)

    assert pulled.is_set()
    with pytest.raises(SwitchedOffError), switch.sending():
        pass


def test_a_send_that_hangs_keeps_nobody_from_pulling(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SEND_SECONDS", 0.01)
    switch = Switch(tmp_path / "switch")
    with switch.sending():
        switch.pull(latch())

    assert switch.latch == latch()


def test_threads_that_send_never_pass_a_pulled_switch(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SEND_SECONDS", 60.0)
    switch = Switch(tmp_path / "switch")
    over, late = threading.Event(), []

    def send() -> None:
        while True:
            try:
                with switch.sending():
                    if over.is_set():
                        late.append(1)
            except SwitchedOffError:
                return

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    with switch._lock:  # all of them wait here, so that some pass and some do not
        pass
    switch.pull(latch())
    over.set()
    for thread in threads:
        thread.join(10)

    assert late == []


def test_words_that_do_not_fit_are_cut_on_the_disk_alone(tmp_path):
    switch = Switch(tmp_path / "switch")
    held = switch.pull(Latch(reason="ção " * 200, by="x" * 500, at=NOW))

    assert held.reason == "ção " * 200
    found = latched(tmp_path / "switch")
    assert found is not None
    assert len(found.reason) == 120


@pytest.mark.parametrize("sign", ["\x01", '"', "\\", "\x7f", "é", "\n"])
def test_no_sign_of_a_reason_keeps_the_latch_from_the_disk(tmp_path, sign):
    switch = Switch(tmp_path / "switch")
    switch.pull(Latch(reason=sign * 500, by=sign * 500, at=NOW, flatten=True))

    assert switch.failed is None
    found = latched(tmp_path / "switch")
    assert found is not None
    assert found.reason == "?" * 120


def test_a_latch_that_does_not_fit_is_on_all_the_same_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_short", lambda each: each)
    switch = Switch(tmp_path / "switch")
    switch.pull(latch("x" * 600))

    assert switch.latch is not None
    assert "does not fit" in str(switch.failed)


def test_the_file_is_readable_by_others_than_its_writer(tmp_path: Path):
    switch = Switch(tmp_path / "switch")
    switch.pull(latch())
    switch.close()

    assert (tmp_path / "switch").stat().st_size == BYTES
    assert latched(tmp_path / "switch") == latch()
