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
    "tape_reader",
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
        path, draft = data_dir / "secrets.json", data_dir / "secrets.json.new"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(stored, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    return stored
