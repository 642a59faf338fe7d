"""Containers of B3 files: blocks of whole lines, and the files that are refused."""

import zipfile

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sql import b3_source
from sql.b3_source import Block, RefusedFileError, Source
from tests.sql.b3_made import HEADER, line, text, zipped

TRADES = text(*(line(trade_id=10 * n, price=f"{n},5") for n in range(1, 5000)))


def whole(path):
    return b"".join(block.data for block in Source(path).blocks(lambda _: None) if isinstance(block, Block))


def nothing(_done):
    return None


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")), max_size=30),
    st.booleans(),
    st.integers(1, 50),
)
def test_every_line_comes_once_with_its_number(tmp_path_factory, lines, ended, piece):
    path = tmp_path_factory.mktemp("source") / "day.txt"
    path.write_bytes(b"\n".join(lines) + (b"\n" if ended else b""))
    assume(path.read_bytes()[:2] != b"PK")  # that would be a zip
    expected = dict(enumerate(path.read_bytes().split(b"\n"), 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(b3_source, "PIECE", piece)
        patch.setattr(b3_source, "MAX_LINE", 30)
        patch.setattr(b3_source, "KEPT_OF_LONG_LINE", 5)
        found = {}
        for block in Source(path).blocks(nothing, size=20):
            if isinstance(block, Block):
                found |= dict(enumerate(block.data.split(b"\n")[:-1], block.first))
            else:
                assert expected[block.line].startswith(block.text)
                assert block.length == len(expected[block.line]) + block.ended
                found[block.line] = expected[block.line]
    if not expected[len(expected)]:
        del expected[len(expected)]

    assert found == expected


def test_progress_adds_up_to_the_size(tmp_path):
    path = tmp_path / "day.txt"
    path.write_text(TRADES)
    done = []
    list(Source(path).blocks(done.append))

    assert sum(done) == Source(path).size


def test_a_zip_gives_its_first_member_whatever_it_is_called(tmp_path):
    assert whole(zipped(tmp_path / "a.zip", TRADES, "folder/TradeIntraday_20200904_1.txt")).decode() == TRADES


def test_a_directory_and_a_missing_file_are_refused(tmp_path):
    with pytest.raises(RefusedFileError, match="found a directory"):
        Source(tmp_path)
    with pytest.raises(RefusedFileError, match="no such file"):
        Source(tmp_path / "none.zip")


def test_an_empty_zip_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w"):
        pass
    with pytest.raises(RefusedFileError, match="the zip is empty"):
        Source(tmp_path / "a.zip")


def test_an_encrypted_zip_is_refused(tmp_path):
    path = zipped(tmp_path / "a.zip", TRADES)
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(RefusedFileError, match="encrypted"):
        Source(path)


@pytest.mark.parametrize("where", [0.3, 0.5, 0.8])
def test_a_truncated_zip_is_refused(tmp_path, where):
    path = zipped(tmp_path / "a.zip", TRADES)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * where)])
    with pytest.raises(RefusedFileError, match="damaged or not complete"):
        whole(path)


def test_a_zip_with_a_wrong_checksum_is_refused(tmp_path):
    path = zipped(tmp_path / "a.zip", TRADES)
    data = bytearray(path.read_bytes())
    data[data.rfind(b"PK\x01\x02") + 16] ^= 1
    path.write_bytes(data)
    with pytest.raises(RefusedFileError, match="damaged"):
        whole(path)


def test_a_zip_with_a_flipped_byte_inside_is_refused(tmp_path):
    path = zipped(tmp_path / "a.zip", TRADES)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(RefusedFileError, match="damaged"):
        whole(path)


def test_a_zip_bomb_is_refused_before_it_grows(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("day.txt", "w") as file:
        file.write(HEADER.encode() + b"\n")
        for _ in range(80):
            file.write(bytes(1 << 20))
    with pytest.raises(RefusedFileError, match="no trading day"):
        Source(path)


def test_a_zip_that_grows_beyond_what_it_states_is_refused(tmp_path):
    path = zipped(tmp_path / "a.zip", TRADES)
    data = bytearray(path.read_bytes())
    start = data.rfind(b"PK\x01\x02") + 24
    data[start : start + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(RefusedFileError, match="damaged"):
        whole(path)
