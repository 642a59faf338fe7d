"""The front door stays true."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = ["python3 tradingsystem up\n", "python3 tradingsystem test\n"]


@pytest.mark.parametrize("name", ["README.md", "LEIA-ME.md"])
def test_the_quick_start_is_two_blocks_of_one_line(name):
    text = (ROOT / name).read_text(encoding="utf-8")

    assert re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL) == COMMANDS


@pytest.mark.parametrize("path", [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], ids=lambda p: p.name)
def test_links_between_pages_lead_somewhere(path):
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", path.read_text(encoding="utf-8"))

    assert [link for link in links if not (path.parent / link).exists()] == []


def test_every_command_that_it_names_exists():
    from launcher import cli

    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "LEIA-ME.md"))
    named = set(re.findall(r"python3 tradingsystem ([a-z]+)", text))

    assert named - set(cli.COMMANDS) == set()
    assert all(f"`{name}" in text or f"tradingsystem {name}" in text for name in cli.COMMANDS)
