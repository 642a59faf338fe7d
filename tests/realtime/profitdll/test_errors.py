"""Codes of the DLL and the classes of errors they become."""

import re
from pathlib import Path

import pytest

from realtime.profitdll import errors
from realtime.profitdll.errors import NAMES, OFFSET, ResultError, checked, error_of

HEADER = Path(errors.__file__).resolve().parent / "simulator" / "profitdll.h"


def test_the_table_names_every_code_of_the_interface():
    text = HEADER.read_text(encoding="utf-8")
    defined = {int(code, 16): name for name, code in re.findall(r"#define (NL_\w+) NL_CODE\((0x\w+)\)", text)}

    assert defined == NAMES


def test_every_code_has_one_class_of_the_tree():
    assert set(errors.CLASSES) == set(NAMES)
    assert all(issubclass(kind, ResultError) for kind in errors.CLASSES.values())


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (0x04, errors.RetryLaterError),
        (0x02, errors.ReconnectFirstError),
        (0x05, errors.ReconnectFirstError),
        (0x03, errors.NeverRetryError),
        (0x2E, errors.NeverRetryError),
        (0x0C, errors.NothingDoneError),
        (0x01, errors.AmbiguousError),
        (0x21, errors.AmbiguousError),
        (0x7FFF, errors.AmbiguousError),
    ],
)
def test_a_code_says_what_may_be_done_next(code, kind):
    error = error_of("SendOrder", OFFSET + code)

    assert type(error) is kind
    assert error.code == OFFSET + code
    assert f"0x{0x80000000 + code:08X}" in str(error)


@pytest.mark.parametrize("result", [0, 1, 5_000_000_000])
def test_a_result_that_is_no_error_is_itself(result):
    assert checked("SendOrder", result) == result


def test_any_negative_result_is_an_error():
    with pytest.raises(errors.AmbiguousError, match="SendOrder: expected NL_OK, found -1 "):
        checked("SendOrder", -1)
