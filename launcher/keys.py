"""The administrator's API key: made on the first start, kept in `.env.local`, readable by its owner alone."""

from pathlib import Path
from secrets import token_urlsafe

from config import secrets

NAME = "TRADINGSYSTEM_API_KEY"


def place(root: Path) -> Path:
    """The file that holds the key of this checkout."""
    return root / ".env.local"


def renew(root: Path) -> str:
    """Make a new key and store it; every other line of the file stays. The old key is no longer valid."""
    key = f"ts_{token_urlsafe(32)}"
    path = place(root)
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    kept = [line for line in lines if not line.removeprefix("export ").lstrip().startswith(f"{NAME}=")]
    secrets.keep(path, "".join(f"{line}\n" for line in [*kept, f"{NAME}={key}"]).encode("utf-8"))
    return key
