"""The gateway itself: health, balance, metrics."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import Response

from gateway import metrics
from gateway.api.context import Gateway
from gateway.api.models import BalanceBody, Health

router = APIRouter(tags=["gateway"])
root = APIRouter(tags=["gateway"])


@router.get("/health", responses={503: {"model": Health, "description": "readings are not being taken in, or not judged"}})
async def health(view: Gateway, response: Response) -> Health:
    """Whether readings are being taken in and judged. Needs no token."""
    found = Health.of(view)
    if not found.ingesting:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return found


@router.get("/balance")
async def balance(view: Gateway) -> BalanceBody:
    """Where every reading is that was ever received."""
    found = view.spool.balance()
    return BalanceBody(**asdict(found), closes=found.closes)


@root.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}, "description": "Prometheus text"}})
async def prometheus(view: Gateway) -> Response:
    """The gateway's figures for Prometheus."""
    return Response(metrics.render(view), headers={"Content-Type": metrics.CONTENT_TYPE})
