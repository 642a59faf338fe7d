"""Passwords of one data directory's own engines, made at its creation and readable by its owner alone."""

import json
import os
import secrets as random
from pathlib import Path

NAMES = (
    "frontend_admin",
    "timescale",
    "app_workspace",
    "app_documentation",
    "app_tp_capital",
    "app_kernel",
    "tape_reader",
    "access_gate",
    "app_access",
    "langgraph",
    "dagster",
    "questdb",
    "questdb_reader",
)


def read(data_dir: Path) -> dict[str, str]:
    """Name -> password; empty where the directory has none yet."""
    path = data_dir / "secrets.json"
    if not path.is_file():
        return {}
    stored: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return stored


def ensure(data_dir: Path) -> dict[str, str]:
    """Add what is missing; what is there stays, because the engines were created with it."""
    stored = read(data_dir)
    missing = [name for name in NAMES if name not in stored]
    if missing:
        stored |= {name: random.token_urlsafe(24) for name in missing}
        data_dir.mkdir(parents=True, exist_ok=True)
        keep(data_dir / "secrets.json", json.dumps(stored, indent=2).encode("utf-8"))
    return stored


def keep(path: Path, content: bytes) -> None:
    """Make or replace a file that its owner alone may read; whoever looks sees the old one or the new one, whole."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)  # one with another mode would keep it
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
