"""A refusal: the rules say no. It is an answer to whoever asked, in two languages, with a stable code."""

from collections.abc import Mapping

from contracts.common import Text


class Refusal(Exception):  # noqa: N818  # a refusal is a normal answer, not an error of the program
    """Something was asked that a rule forbids; nothing has changed.

    ``code`` is stable and public, ``pointer`` is the JSON Pointer of the field that would have to change, and
    ``status`` the HTTP status that fits: 404 not known, 409 not in this state, 412 stale, 422 not valid.
    ``headers`` are what that status owes the caller besides, such as `WWW-Authenticate` with a 401.
    """

    def __init__(
        self,
        code: str,
        zh: str,
        en: str,
        *,
        status: int = 409,
        pointer: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {en}")
        self.code = code
        self.text = Text(zh=zh, en=en)
        self.status = status
        self.pointer = pointer
        self.headers = dict(headers or {})
