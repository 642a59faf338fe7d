"""The administrator's API key, the journal's and that of tokens: made on the first start, kept in `.env.local`, for its
owner alone.
"""

from pathlib import Path
from secrets import token_urlsafe

from config import secrets

NAME = "TRADINGSYSTEM_API_KEY"
JOURNAL = "TRADINGSYSTEM_JOURNAL_KEY"
TOKENS = "TP_CAPITAL_TOKEN_KEY"


def place(root: Path) -> Path:
    """The file that holds the key of this checkout."""
    return root / ".env.local"


def renew(root: Path) -> str:
    """Make a new key and store it; every other line of the file stays. The old key is no longer valid."""
    key = f"ts_{token_urlsafe(32)}"
    _keep(root, NAME, key)
    return key


def make_journal_key(root: Path) -> None:
    """Make the key of the orders' journal and store it. It is never renewed: what was written needs the one it had."""
    _keep(root, JOURNAL, token_urlsafe(32))


def make_token_key(root: Path) -> None:
    """Make the key that seals the tokens of registered bots and store it; a new one goes before it, never over it."""
    _keep(root, TOKENS, token_urlsafe(32))


def _keep(root: Path, name: str, value: str) -> None:
    path = place(root)
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    kept = [line for line in lines if not line.removeprefix("export ").lstrip().startswith(f"{name}=")]
    secrets.keep(path, "".join(f"{line}\n" for line in [*kept, f"{name}={value}"]).encode("utf-8"))
