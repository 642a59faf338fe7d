"""Statements as files, `<store>/<verb>_<object>.sql`, with bound parameters; words in braces are our own code's."""

from functools import cache
from pathlib import Path

HERE = Path(__file__).parent


@cache
def statement(store: str, name: str) -> str:
    """The text of `<store>/<name>.sql` without its comments."""
    lines = (HERE / store / f"{name}.sql").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("--")).strip()
