"""The table of signals that models and people hand in."""

from typing import Annotated

from msgspec import Struct

from sql.columns import Amount, Balance, Instant, Label, Symbol, Text, says
from sql.contract import Table


class ModelSignal(Struct, frozen=True, kw_only=True):
    """What somebody expects of an instrument, and how sure they are."""

    ts: Annotated[Instant, says("when it was taken, the host's clock")]
    id: Text
    symbol: Annotated[Symbol, says("instrument, as it was told")]
    direction: Annotated[Symbol, says("BUY, SELL, HOLD")]
    confidence: Annotated[Amount, says("0 to 1")]
    price: Annotated[Balance, says("as it was told; BRL, or points")] | None
    reason: Text | None
    features: Annotated[Text, says("what it was made from, JSON")]
    told_at: Annotated[Instant, says("the sender's own time")] | None
    told_by: Annotated[Label, says("key, person or x-user-id")]


MODEL_SIGNALS = Table(
    name="model_signals",
    row=ModelSignal,
    key=("ts", "id"),
    time="ts",
    warm_days=90,
    writer="sql.model_signals.ModelSignals",
)
