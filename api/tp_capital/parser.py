"""A post of a channel read as a signal, or the reason why it is none. Pure, never raises, and takes no number that the
text does not hold as a price.

Numbers are written as in Brazil: a dot before three digits parts thousands, a comma the decimals; `0.85` is a decimal
as well. What can be read in two ways (`1,234.56`) or is a distance (`300 pts`, `10%`) is no price.
"""

import re
import unicodedata
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

VERSION = "3"  # 1 and 2 were the original's
MAX_TEXT = 10_000  # characters; a post of Telegram has 4096
MAX_PRICE = 10_000_000.0
MAX_ASSET = 32

Reason = Literal["empty", "too_long", "cancelled", "no_asset", "no_buy_range", "no_stop", "contradictory"]

NUMBER = (
    r"(?:R\$\s*)?((?>[0-9](?:[0-9.,]*[0-9])?))"
    r"(?![^\W_]|\s*(?:%|(?:PTS?|PONTOS?|TICKS?|CONTRATOS?|LOTES?|ACOES|OPCOES)\b))"
)
SEPARATOR = r"\s*[:=\-–—]\s*"
GAP = rf"(?:{SEPARATOR}|\s+)"
CODE = r"([A-Z0-9]+)(?![^\W_])"
LABEL = re.compile(rf"\b(?:ATIVO|ATIVA|PAPEL|TICKER)\b\s*[:=\-–—]?\s*{CODE}")
WORD = re.compile(r"(?<![^\W_])[A-Z][A-Z0-9]{3,11}(?![^\W_])")
OWN_WORD = re.compile(r"(?:ALVO|STOP|TARGET|COMPRA|ENTRADA|VENDA|BUY|SELL|LOSS|DAY|SWING|ATIV[OA]|PAPEL|TICKER)[0-9]*")
SERIES = re.compile(r"[A-Z]{3}FUT")  # the contract of the day
BUYING = r"\b(?:COMPRAR?|ENTRADA|BUY)\b"
BOUNDS = rf"{NUMBER}(?:(?:\s*[-–—]\s*|\s+(?:A|E|ATE|TO)\s+){NUMBER})?"
BUY = (
    re.compile(rf"{BUYING}(?:\s+(?!DE\b|MIN\b)[A-Z]+)?(?:\s+(?:DE|MIN))?{SEPARATOR}(?:ENTRE\s+|DE\s+)?{BOUNDS}"),
    re.compile(rf"{BUYING}(?:\s+(?:DE|MIN))?\s+{BOUNDS}"),
)
AIM = r"\b(?:ALVO|TARGET|TP)"
TARGET = re.compile(rf"{AIM}\s*([0-9]{{1,2}})(?![0-9]|[.,][0-9])[ºª°]?{GAP}{NUMBER}")
ONLY_TARGET = re.compile(rf"{AIM}{SEPARATOR}{NUMBER}")
FINAL = re.compile(rf"{AIM}\s+(?:FINAL|GERAL){GAP}{NUMBER}")
STOP = re.compile(rf"\b(?:STOP(?:\s+LOSS)?|SL){GAP}{NUMBER}")
TYPES = ((re.compile(r"\bDAY[\s-]*TRADE\b"), "Day Trade"), (re.compile(r"\bSCALP(?:ING|ER)?\b"), "Scalping"))
USUAL_TYPE = "Swing Trade"
CANCELLED = re.compile(r"\b(?:CANCELAD|ENCERRAD|TESTE\b|DEMO\b|SPAM\b)")

THOUSANDS = re.compile(r"[1-9][0-9]{0,2}(?:\.[0-9]{3})+(?:,[0-9]+)?")
PLAIN = re.compile(r"[0-9]+(?:,[0-9]+)?")
POINT = re.compile(r"0\.[0-9]+|[0-9]+\.(?:[0-9]{1,2}|[0-9]{4,})")


class Reading(Struct, frozen=True, kw_only=True):
    """What a post says. It is a signal when `reason` is null; `raw` is the post as it is kept."""

    raw: str
    reason: Reason | None = None
    signal_type: str = USUAL_TYPE
    asset: str | None = None
    buy_min: float | None = None
    buy_max: float | None = None
    target_1: float | None = None
    target_2: float | None = None
    target_final: float | None = None
    stop: float | None = None


def read(text: str) -> Reading:
    """The signal in `text`, or why there is none. Several signals in one post give the first."""
    raw = text.replace("\r", "").strip()
    if not raw or len(raw) > MAX_TEXT:
        return Reading(raw=raw[:MAX_TEXT], reason="too_long" if raw else "empty")
    words = first_of(folded(raw))
    low, high = buy_range(words)
    targets = targets_of(words)
    reading = Reading(
        raw=raw,
        signal_type=next((name for shape, name in TYPES if shape.search(words)), USUAL_TYPE),
        asset=asset_of(words),
        buy_min=low,
        buy_max=high,
        target_1=targets.get(1),
        target_2=targets.get(2),
        target_final=price_in(FINAL, words) or (targets[max(targets)] if targets else None),
        stop=price_in(STOP, words),
    )
    return replace(reading, reason="cancelled" if CANCELLED.search(words) else reason_of(reading))


def reason_of(reading: Reading) -> Reason | None:
    """Why a reading is no signal that somebody may act on."""
    if reading.asset is None:
        return "no_asset"
    if reading.buy_min is None or reading.buy_max is None:
        return "no_buy_range"
    if reading.stop is None:
        return "no_stop"
    targets = [reading.target_1, reading.target_2, reading.target_final]
    if reading.stop >= reading.buy_min or any(t is not None and t <= reading.buy_min for t in targets):
        return "contradictory"  # they are signals to buy: the stop lies below the entry, targets above
    return None


def folded(text: str) -> str:
    """Capital letters without accents; what looks like a digit and is none stays what it is."""
    parts = unicodedata.normalize("NFD", text)
    return "".join(c for c in parts if unicodedata.category(c) not in ("Mn", "Me")).upper()


def first_of(words: str) -> str:
    """The part up to the second labelled asset, where labels come first: pieces of two signals are never mixed."""
    labels = [label for label in LABEL.finditer(words) if is_code(label[1])]
    others = [label for label in labels if label[1] != labels[0][1]]
    if not others or any(shape.search(words, 0, labels[0].start()) for shape in BUY):
        return words
    return words[: others[0].start()]


def asset_of(words: str) -> str | None:
    """The instrument after its label, else the first word that looks like one."""
    for label in LABEL.finditer(words):
        if is_code(label[1]):
            return label[1]
    return next((word[0] for word in WORD.finditer(words) if is_code(word[0])), None)


def is_code(word: str) -> bool:
    """Whether a word may be an instrument: three letters or more, and a number at its end (or a series of futures)."""
    if OWN_WORD.fullmatch(word) or len(word) > MAX_ASSET:
        return False
    letters = sum(c.isalpha() for c in word)
    return SERIES.fullmatch(word) is not None or (letters >= 3 and word[0].isalpha() and word[-1].isdigit())


def buy_range(words: str) -> tuple[float | None, float | None]:
    """Lower and upper bound of the entry; one price is both."""
    for shape in BUY:
        for found in shape.finditer(words):
            one = price(found[1])
            other = price(found[2]) if found[2] else one
            if one is not None and other is not None:
                return min(one, other), max(one, other)
    return None, None


def targets_of(words: str) -> dict[int, float]:
    """Number -> price of the targets that have a number; one without counts as the first where there is no other."""
    found: dict[int, float] = {}
    for each in TARGET.finditer(words):
        value = price(each[2])
        if value is not None:
            found.setdefault(int(each[1]), value)
    alone = None if found else price_in(ONLY_TARGET, words)
    return {1: alone} if alone is not None else found


def price_in(shape: re.Pattern[str], words: str) -> float | None:
    """The first price behind a label."""
    return next((value for each in shape.finditer(words) if (value := price(each[1])) is not None), None)


def price(token: str) -> float | None:
    """The number that `token` says, when it says exactly one that can be a price."""
    if len(token) > 20:
        return None
    if THOUSANDS.fullmatch(token):
        value = float(token.replace(".", "").replace(",", "."))
    elif PLAIN.fullmatch(token):
        value = float(token.replace(",", "."))
    elif POINT.fullmatch(token):
        value = float(token)
    else:
        return None
    return value if 0 < value <= MAX_PRICE else None
