"""Errors as problem details (RFC 9457): what went wrong, and for a refused command the contract's reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from alerts.alarm import Refusal
from alerts.ports import HazgateError

MEDIA_TYPE: Final = "application/problem+json"

_FORBIDDEN: Final = (Refusal.UNKNOWN_PERSON, Refusal.NOT_PERMITTED, Refusal.WRONG_CODE, Refusal.OFF)
_LACKING: Final = (Refusal.MALFORMED, Refusal.PERMIT_REQUIRED, Refusal.REASON_REQUIRED, Refusal.TOO_LONG, Refusal.RESPONSE_TOO_LOW)
STATUS: Final[Mapping[Refusal, HTTPStatus]] = MappingProxyType(
    {
        **dict.fromkeys(Refusal, HTTPStatus.CONFLICT),
        **dict.fromkeys(_FORBIDDEN, HTTPStatus.FORBIDDEN),
        **dict.fromkeys(_LACKING, HTTPStatus.UNPROCESSABLE_ENTITY),
        Refusal.UNKNOWN_ALARM: HTTPStatus.NOT_FOUND,
    }
)
"""A request that lacks something is 422, one that this person may not make 403; the rest speak of how things stand: 409."""

SENTENCES: Final[Mapping[Refusal, str]] = MappingProxyType(
    {
        Refusal.UNKNOWN_PERSON: "nobody of that id is known at this site",
        Refusal.NOT_PERMITTED: "your role may not do this",
        Refusal.MALFORMED: "the request lacks something that this verb needs, or this version does not carry the verb out",
        Refusal.UNKNOWN_ALARM: "there is no such alarm or sensor at this site",
        Refusal.OFF: "commands are switched off here",
        Refusal.CHANGED: "the alarm is not as you saw it any more; look again",
        Refusal.TOO_LATE: "the request was made more than a minute ago",
        Refusal.WRONG_CODE: "the code is not the one of the message",
        Refusal.AMBIGUOUS: "the request fits more than one alarm",
        Refusal.PERMIT_REQUIRED: "a permit has to be named",
        Refusal.REASON_REQUIRED: "a reason has to be given",
        Refusal.USE_INHIBIT: "a sensor is taken out by inhibiting it",
        Refusal.RED_CANNOT_BE_SHELVED: "a red alarm cannot be shelved",
        Refusal.RED_SINGLY: "red alarms are acknowledged one by one",
        Refusal.ACTIVE_ALARM: "an alarm of this sensor is not normal",
        Refusal.TOO_LONG: "the time asked for is longer than this site allows",
        Refusal.COVERAGE: "too few healthy sensors would remain in the zone",
        Refusal.RESPONSE_TOO_LOW: "the sensor's response to the test gas is outside the band",
        Refusal.SAME_PERSON: "this has to be done by another person",
        Refusal.ALREADY: "this has been done already",
        Refusal.NOT_ACTIVE: "the alarm is not active",
        Refusal.OVER_RANGE: "the instrument went over its range; somebody has to measure with another one first",
        Refusal.VALUE_LOST: "the sensor has no value; nobody knows whether it is over",
        Refusal.STILL_ACTIVE: "the condition still stands",
        Refusal.NO_FRESH_READING: "there is no fresh good reading to go by",
        Refusal.INSIDE_DEADBAND: "the value is not clear of the limit yet",
        Refusal.NOT_ACKNOWLEDGED: "the alarm has to be acknowledged first",
        Refusal.NOT_LATCHED: "the alarm does not wait for a reset",
    }
)


class Problem(BaseModel):
    """The body of every error. `reason` stands in refusals of commands only."""

    title: str
    status: int
    detail: str | None = None
    reason: Refusal | None = Field(None, description="why a command was refused")


class Refused(Exception):
    """A command was refused."""

    def __init__(self, reason: Refusal, detail: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail or SENTENCES[reason]


def body(status: int, detail: str | None = None, reason: Refusal | None = None) -> bytes:
    """A problem as JSON. The type is left out: by RFC 9457 it then says no more than the status does."""
    found = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail, "reason": reason}
    return json.dumps({key: value for key, value in found.items() if value is not None}, ensure_ascii=False).encode()


def answer(status: int, detail: str | None = None, reason: Refusal | None = None, headers: Mapping[str, str] | None = None) -> Response:
    """A problem as an answer."""
    return Response(body(status, detail, reason), status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let every error of the application leave it as a problem."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HazgateError, _unavailable)
    app.add_exception_handler(Exception, _unexpected)


async def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = error.detail if error.detail != HTTPStatus(error.status_code).phrase else None
    return answer(error.status_code, detail, headers=error.headers)


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()]
    return answer(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(found)[:1000])


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return answer(STATUS[error.reason], error.detail, error.reason)


async def _unavailable(_request: Request, error: Exception) -> Response:
    return answer(HTTPStatus.SERVICE_UNAVAILABLE, str(error))


async def _unexpected(_request: Request, _error: Exception) -> Response:
    # the server logs it, with its trace
    return answer(HTTPStatus.INTERNAL_SERVER_ERROR)
