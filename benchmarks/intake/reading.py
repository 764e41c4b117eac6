"""What readers ask of a database: by id, pages at the front and far behind, filters. Paths that find what is there."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

import asyncpg

from benchmarks.intake.traffic import PAGE

_LIST: Final = "/v1/applications"
_PLACES: Final = 50
_AT: Final = """
SELECT application_id, applicant, submitted_at FROM applications WHERE client = 'portal'
ORDER BY application_id OFFSET $1 LIMIT 1
"""
_OF_A_COMPANY: Final = 10
"""Every company has sent more, so that a page is as long with either past."""
_NEAR_ITS_END: Final = -5
"""The fifth last of the places: a page that begins there is full, and all rows before it are passed over."""


async def paths(dsn: str) -> Mapping[str, list[str]]:
    """Return what is asked, by kind, of places all over the past."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetchval("SELECT count(*) FROM applications WHERE client = 'portal'")
        found = [await connection.fetchrow(_AT, rows * place // _PLACES) for place in range(_PLACES)]
    finally:
        await connection.close()
    return _by_kind(found)


def _by_kind(places: Sequence[Any]) -> Mapping[str, list[str]]:
    late = places[_NEAR_ITS_END]
    cursor, moment = str(late["application_id"]), _written(late["submitted_at"])
    deep = [str(place["application_id"]) for place in places[len(places) // 2 : _NEAR_ITS_END]]
    return {
        "by id": [f"{_LIST}/{place['application_id']}" for place in places],
        "first page": [_page()],
        "deep page": [_page(cursor=each) for each in deep],
        "applicant": [_page(limit=_OF_A_COMPANY, applicant=place["applicant"]) for place in places],
        "scheme": [_page(scheme="corpus-voucher"), _page(scheme="corpus-voucher", cursor=cursor)],
        "status": [_page(status=each, cursor=cursor) for each in ("awarded", "rejected", "submitted")],
        "submitted from": [_page(submitted_from=moment)],
        "all of them": [_page(scheme="compute-voucher", status="awarded", submitted_from=moment)],
    }


def _page(**query: Any) -> str:
    return f"{_LIST}?{urlencode({'limit': PAGE} | query)}"


def _written(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
