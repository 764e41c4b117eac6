"""The page over HTTP: public, without a token, cached by its content, and allowed to load nothing from elsewhere."""

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, FastAPI, Header, Path, Query, Request, Response

from contracts.refusal import Refusal
from kit.openapi import call
from kit.refusing import PROBLEM_JSON, language_of
from metrics.page import drawing
from metrics.page.drawing import digest
from metrics.page.latest import Latest, Shown
from metrics.page.words import LANGUAGES, Language
from metrics.programme import Programme

TAGS: Final = {"page": "The status page for everybody. Public: no token is needed."}

# Nothing inline, nothing from another origin, in nobody's frame.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_GUARDED: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}
_SECONDS_SHARED: Final = 2  # what a cache in front may hand out without asking
_FOR_EVER: Final = "public, max-age=31536000, immutable"

_HTML: Final = {"text/html": {"schema": {"type": "string"}}}
_UNCHANGED: Final = {304: {"description": "What you have is what there is (If-None-Match)"}}
_NO_FIGURES: Final = {
    503: {
        "description": "There are no figures to show yet, or too many ask at once; come back a little later",
        "content": {**_HTML, PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}
_KNOWN: Final = Header(alias="If-None-Match", description="the ETag of what you have", max_length=1000)


def add_routes(app: FastAPI, latest: Latest, programme: Programme) -> None:
    """Add the page and its files to the application."""
    router = APIRouter(tags=["page"])
    drawn = _Drawn(programme)

    @router.get(
        "/",
        summary="The status page, drawn by the server",
        response_class=Response,
        **call(media=_HTML, headers=["ETag", "Content-Language"], more={**_UNCHANGED, **_NO_FIGURES}),
    )
    async def get_page(
        request: Request,
        lang: Annotated[
            str | None,
            Query(description="zh-CN or en; otherwise what Accept-Language prefers", max_length=35, examples=["en"]),
        ] = None,
        if_none_match: Annotated[str | None, _KNOWN] = None,
    ) -> Response:
        language = _language(request, lang)
        shown = await latest.get()
        body, tag = drawn.page(shown, language)
        headers = {
            **_GUARDED,
            "etag": tag,
            "cache-control": f"public, max-age={_SECONDS_SHARED}",
            "vary": "Accept-Language",
            "content-language": language,
        }
        if shown.figures is None:
            headers |= {"cache-control": "no-store", "retry-after": "5"}
            return Response(body, 503, headers, "text/html")
        return _answer(body, headers, "text/html", if_none_match)

    @router.get(
        "/page/{name}",
        summary="A file that the page needs: its style, its script, its icon",
        response_class=Response,
        **call(media=_MEDIA, headers=["ETag"], refuses=["page_file_not_found"], more=_UNCHANGED),
    )
    async def get_page_file(
        name: Annotated[str, Path(max_length=100, examples=["page.css"])],
        v: Annotated[str | None, Query(description="the version that the page names", max_length=64)] = None,
        if_none_match: Annotated[str | None, _KNOWN] = None,
    ) -> Response:
        file = drawing.files().get(name)
        if file is None:
            raise _unknown(name)
        headers = {
            **_GUARDED,
            "etag": f'"{file.version}"',
            "cache-control": _FOR_EVER if v == file.version else "no-cache",
        }
        return _answer(file.content, headers, file.media_type, if_none_match)

    router.head("/", include_in_schema=False)(get_page)  # monitors and link checkers ask so
    app.include_router(router)


_MEDIA: Final = {file.media_type: {"schema": {"type": "string"}} for file in drawing.files().values()}


class _Drawn:
    """The page as last drawn, in each language: it is drawn again when something that it shows has changed."""

    def __init__(self, programme: Programme) -> None:
        self._programme = programme
        self._pages: dict[Language, tuple[Shown, bytes, str]] = {}

    def page(self, shown: Shown, language: Language) -> tuple[bytes, str]:
        """Return the page and its ETag."""
        known = self._pages.get(language)
        if known is None or known[0] != shown:
            body = drawing.draw(shown, self._programme, language)
            known = self._pages[language] = (shown, body, f'W/"{digest(body)}"')
        return known[1], known[2]


def _language(request: Request, asked: str | None) -> Language:
    wanted = (asked or "").lower()
    found = next((each for each in LANGUAGES if each.lower() == wanted), None)
    return found or ("zh-CN" if language_of(request) == "zh-CN" else "en")


def _answer(body: bytes, headers: Mapping[str, str], media_type: str, known: str | None) -> Response:
    if known is not None and _matches(known, headers["etag"]):
        return Response(status_code=304, headers=dict(headers))
    return Response(body, 200, dict(headers), media_type)


def _matches(known: str, tag: str) -> bool:
    """Compare weakly, as RFC 9110 (13.1.2) asks for."""
    tags = {each.strip().removeprefix("W/") for each in known.split(",")}
    return "*" in tags or tag.removeprefix("W/") in tags


def _unknown(name: str) -> Refusal:
    return Refusal("page_file_not_found", f"页面没有文件 {name}。", f"The page has no file {name}.", status=404)
