"""What every route needs: the running gateway, the site that the path names, the person that the token names."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Path, Request
from starlette.exceptions import HTTPException

from alerts.book import Book
from alerts.register import Point
from alerts.site import Site
from gateway.view import View


async def the_view(request: Request) -> View:
    """The gateway that this interface belongs to."""
    view: View = request.app.state.view
    return view


Gateway = Annotated[View, Depends(the_view)]


async def the_site(view: Gateway, site: Annotated[str, Path(description="a site's id")]) -> Site:
    """The site of the path; 404 for one that is not this gateway's."""
    found = view.sites().get(site)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"this gateway guards no site {site}")
    return found


AtSite = Annotated[Site, Depends(the_site)]


async def the_book(view: Gateway, site: AtSite) -> Book:
    """The alarms of the path's site."""
    return view.books[site.site]


Alarms = Annotated[Book, Depends(the_book)]


async def the_sensor(view: Gateway, site: AtSite, sensor: Annotated[str, Path(description="a sensor's id")]) -> Point:
    """The sensor of the path; 404 for one that the site does not have."""
    point = view.register.find(site.site, sensor)
    if point is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"site {site.site} has no sensor {sensor}")
    return point


AtSensor = Annotated[Point, Depends(the_sensor)]


async def the_person(request: Request) -> str:
    """Whose token it is. The guard lets no command in without one."""
    person: str | None = request.state.person
    if person is None:
        raise HTTPException(HTTPStatus.UNAUTHORIZED)
    return person


Person = Annotated[str, Depends(the_person)]
