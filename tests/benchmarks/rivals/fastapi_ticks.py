"""The baseline's window of ticks: the ORM on the warm tier, a response model, the same page as ours."""

import datetime as dt
import os
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Of the model."""


class TickRow(Base):
    """A row of the ticks."""

    __tablename__ = "ticks"

    ts: Mapped[dt.datetime] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    session: Mapped[dt.date] = mapped_column(primary_key=True)
    trade_id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[float]
    quantity: Mapped[int]
    aggressor: Mapped[str | None]
    buyer: Mapped[int | None]
    seller: Mapped[int | None]
    flags: Mapped[int]
    received_at: Mapped[dt.datetime]
    source: Mapped[str]


class Tick(BaseModel):
    """A tick of an answer."""

    model_config = ConfigDict(from_attributes=True)

    ts: dt.datetime
    symbol: str
    session: dt.date
    trade_id: int
    price: float
    quantity: int
    aggressor: str | None
    buyer: int | None
    seller: int | None
    flags: int
    received_at: dt.datetime
    source: str


class Ticks(BaseModel):
    """Answer of the window."""

    success: bool = True
    data: list[Tick]


router = APIRouter()
engine = create_async_engine(
    os.environ["RIVAL_TAPE_DSN"].replace("postgresql://", "postgresql+psycopg://"), pool_size=10
)
sessions = async_sessionmaker(engine, expire_on_commit=False)


async def session() -> AsyncIterator[AsyncSession]:
    """One for each request."""
    async with sessions() as opened:
        yield opened


@router.get("/api/v1/ticks")
async def ticks(
    session: Annotated[AsyncSession, Depends(session)],
    symbol: str,
    since: Annotated[dt.datetime, Query(alias="from")],
    until: Annotated[dt.datetime, Query(alias="to")],
    limit: int = 1000,
) -> Ticks:
    """The first `limit` trades of the window."""
    found = await session.scalars(
        select(TickRow)
        .where(TickRow.symbol == symbol, TickRow.ts >= since, TickRow.ts < until)
        .order_by(TickRow.ts, TickRow.symbol, TickRow.session, TickRow.trade_id)
        .limit(limit)
    )
    return Ticks(data=[Tick.model_validate(row) for row in found])
