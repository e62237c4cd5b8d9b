"""Tickets: how a browser opens a websocket, which cannot carry a key in a header."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from service.api.deps import Running, problems
from service.auth import Caller, holds_key

router = APIRouter(prefix="/v1/tickets", tags=["service"])


class TicketView(BaseModel):
    ticket: str
    seconds: float = Field(description="For so long it can be used, once.")


@router.post("", operation_id="create_ticket", status_code=201, responses=problems())
async def create(running: Running, caller: Annotated[Caller, Depends(holds_key)]) -> TicketView:
    """A ticket for one websocket or event stream (`?ticket=`), which may do what the key may; soon and once."""
    tickets = running.access.tickets
    return TicketView(ticket=tickets.issue(caller), seconds=tickets.seconds)
