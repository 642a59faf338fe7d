"""The baseline: the workspace's items as FastAPI and SQLAlchemy's ORM are usually put together.

Async engine and sessions, a response model for each answer, the audit row in the same transaction.
"""

import datetime as dt
import os
import uuid
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from sqlalchemy import ARRAY, String, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tests.benchmarks.rivals import fastapi_signals, fastapi_ticks

Category = Literal["documentacao", "coleta-dados", "banco-dados", "analise-dados", "gestao-riscos", "dashboard"]


class Base(DeclarativeBase):
    """Of the models."""


class ItemRow(Base):
    """A row of the items."""

    __tablename__ = "workspace_items"
    __table_args__ = {"schema": "workspace"}  # noqa: RUF012 - SQLAlchemy's way

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    title: Mapped[str]
    description: Mapped[str | None]
    category: Mapped[str]
    priority: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="new")
    tags: Mapped[list[str]] = mapped_column(ARRAY(String))
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str | None]
    updated_by: Mapped[str | None]
    # `metadata` is a word of SQLAlchemy's own.
    details: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, server_default="{}")


class AuditRow(Base):
    """A row of the audit log."""

    __tablename__ = "workspace_audit_log"
    __table_args__ = {"schema": "workspace"}  # noqa: RUF012 - SQLAlchemy's way

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    item_id: Mapped[uuid.UUID]
    action: Mapped[str]
    new_values: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    created_by: Mapped[str | None]


class NewItem(BaseModel):
    """Body of a creation."""

    title: str = Field(min_length=1, max_length=255)
    description: str = Field(min_length=1)
    category: Category
    priority: Literal["low", "medium", "high", "critical"]
    tags: list[str] = []


class Item(BaseModel):
    """An item of an answer."""

    model_config = ConfigDict(from_attributes=True, alias_generator=to_camel, populate_by_name=True)

    id: uuid.UUID
    title: str
    description: str | None
    category: str
    priority: str
    status: str
    tags: list[str]
    created_at: dt.datetime
    updated_at: dt.datetime | None
    created_by: str | None
    updated_by: str | None
    details: dict[str, Any] = Field(serialization_alias="metadata")


class ItemList(BaseModel):
    """Answer of the list."""

    success: bool = True
    count: int
    data: list[Item]


class ItemAnswer(BaseModel):
    """Answer of one item."""

    success: bool = True
    message: str | None = None
    data: Item


app = FastAPI()
app.include_router(fastapi_signals.router)
app.include_router(fastapi_ticks.router)
engine = create_async_engine(os.environ["RIVAL_DSN"].replace("postgresql://", "postgresql+psycopg://"), pool_size=10)
sessions = async_sessionmaker(engine, expire_on_commit=False)


async def session() -> AsyncIterator[AsyncSession]:
    """One for each request."""
    async with sessions() as opened:
        yield opened


Session = Annotated[AsyncSession, Depends(session)]


@app.get("/api/items", response_model_exclude_none=False)
async def list_items(session: Session) -> ItemList:
    """All items, the newest first."""
    found = await session.scalars(select(ItemRow).order_by(ItemRow.created_at.desc(), ItemRow.id.desc()))
    items = [Item.model_validate(row) for row in found]
    return ItemList(count=len(items), data=items)


@app.get("/api/items/{item_id}")
async def get_item(item_id: uuid.UUID, session: Session) -> ItemAnswer:
    """One item."""
    row = await session.scalar(select(ItemRow).where(ItemRow.id == item_id))
    if row is None:
        raise HTTPException(404, f"Item {item_id} not found")
    return ItemAnswer(data=Item.model_validate(row))


@app.post("/api/items", status_code=201)
async def create_item(body: NewItem, session: Session) -> ItemAnswer:
    """A new item and its line of the audit log."""
    row = ItemRow(**body.model_dump(), created_by="anonymous")
    session.add(row)
    await session.flush()
    await session.refresh(row)
    item = Item.model_validate(row)
    values = item.model_dump(mode="json", by_alias=True)
    session.add(AuditRow(item_id=row.id, action="created", new_values=values, created_by="anonymous"))
    await session.commit()
    return ItemAnswer(message="Item created successfully", data=item)
