"""The baseline's list of signals: the ORM on QuestDB's PG wire, a response model, the same filters as ours.

psycopg2, because SQLAlchemy's way of opening connections with psycopg 3 asks what QuestDB does not know.
"""

import datetime as dt
import os
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker


class Base(DeclarativeBase):
    """Of the model."""


class SignalRow(Base):
    """A row of the signals."""

    __tablename__ = "tp_capital_signals"

    ts: Mapped[dt.datetime] = mapped_column(primary_key=True)
    channel: Mapped[str]
    signal_type: Mapped[str]
    asset: Mapped[str]
    buy_min: Mapped[float | None]
    buy_max: Mapped[float | None]
    target_1: Mapped[float | None]
    target_2: Mapped[float | None]
    target_final: Mapped[float | None]
    stop: Mapped[float | None]
    raw_message: Mapped[str]
    source: Mapped[str]
    ingested_at: Mapped[dt.datetime]
    chat_id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(primary_key=True)
    deleted_at: Mapped[dt.datetime | None]


class Signal(BaseModel):
    """A signal of an answer."""

    model_config = ConfigDict(from_attributes=True)

    ts: dt.datetime
    channel: str
    signal_type: str
    asset: str
    buy_min: float | None
    buy_max: float | None
    target_1: float | None
    target_2: float | None
    target_final: float | None
    stop: float | None
    raw_message: str
    source: str
    ingested_at: dt.datetime


class Signals(BaseModel):
    """Answer of the list."""

    data: list[Signal]


router = APIRouter()
engine = create_engine(
    os.environ["RIVAL_HOT_DSN"].replace("postgresql://", "postgresql+psycopg2://"),
    pool_size=10,
    use_native_hstore=False,
    isolation_level="AUTOCOMMIT",
)
sessions = sessionmaker(engine, expire_on_commit=False)


def session() -> Iterator[Session]:
    """One for each request."""
    with sessions() as opened:
        yield opened


@router.get("/signals")
def signals(
    session: Annotated[Session, Depends(session)],
    limit: int = 100,
    channel: str | None = None,
    signal_type: str | None = None,
) -> Signals:
    """The newest first; what was deleted is left out."""
    chosen = select(SignalRow).where(SignalRow.deleted_at.is_(None))
    if channel:
        chosen = chosen.where(SignalRow.channel == channel)
    if signal_type:
        chosen = chosen.where(SignalRow.signal_type == signal_type)
    found = session.scalars(chosen.order_by(SignalRow.ts.desc()).limit(limit))
    return Signals(data=[Signal.model_validate(row) for row in found])
