"""Who may come in: hosts, origins, the token, sizes, and what every answer carries.

A page elsewhere on the web must not be able to drive a server on somebody's machine, so the host
that was asked for has to be this one (DNS rebinding) and the origin, where it is told, the same.
"""

import asyncio
import json
import logging
import secrets
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..core.errors import DeliberationError, TooLargeError
from .limits import DIGITS
from .settings import LOOPBACK, RefusedError, Settings, sentence_of

COOKIE = "deliberation-token"
MOST_ADDRESS = 8192
"""Bytes of an address: a position of a few hundred moves."""
MOST_BODY = 65536
METHODS = ("GET", "HEAD", "POST")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
CARRIED = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_log = logging.getLogger("deliberation.playground")


def refusal(sentence: str, status: int = 400) -> Response:
    """A refusal as everybody gets it: one sentence."""
    # A body that has not come to its end would otherwise be waited for.
    headers = {"connection": "close"} if status in (408, 413) else None
    whole = sentence.encode("utf-8", "replace").decode()
    return JSONResponse({"error": whole}, status, headers)


def refused(error: Exception) -> tuple[str, int]:
    """The sentence and the status of an error; what was not foreseen is logged and not told."""
    if isinstance(error, RefusedError):
        return error.sentence, error.status
    if isinstance(error, TooLargeError):
        return sentence_of(error), 413
    if isinstance(error, DeliberationError):
        return sentence_of(error), 400
    _log.error("not foreseen", exc_info=error)
    return "The server met an error of its own; its log says which.", 500


class Doors:
    """Around the whole application: refuses before anything is computed."""

    def __init__(self, app: ASGIApp, settings: Settings):
        self.app, self.settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it here."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            elif scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            return

        begun = whole = False

        async def carrying(message: Message) -> None:
            nonlocal begun, whole
            if message["type"] == "http.response.start":
                begun, headers = True, MutableHeaders(scope=message)
                for name, value in CARRIED.items():
                    headers.setdefault(name, value)
            else:
                whole = not message.get("more_body", False)
            await send(message)

        try:
            await (self.stopped(scope) or self.app)(scope, receive, carrying)
        except asyncio.CancelledError:
            # The server ends, and this is the outermost: whoever still waits is told so.
            if not begun:
                await refusal("The playground has been ended.", 503)(scope, receive, carrying)
            elif not whole:
                await carrying({"type": "http.response.body", "body": b"", "more_body": False})

    def stopped(self, scope: Scope) -> Response | None:
        """What a request gets that does not come in; None: it does."""
        headers = Headers(scope=scope)
        if scope["method"] not in METHODS:
            return refusal("Ask by GET or POST.", 405)
        address = len(scope.get("raw_path") or b"") + len(scope["query_string"])
        if address > MOST_ADDRESS:
            return refusal(f"The address has {address:,} bytes, more than {MOST_ADDRESS:,}.", 414)
        told = headers.get("content-length", "0")
        if not told.isdecimal() or len(told) > DIGITS or int(told) > MOST_BODY:
            return refusal(f"What was sent is larger than {MOST_BODY:,} bytes.", 413)
        host = headers.get("host", "")
        if self.settings.local and _name(host) not in LOOPBACK:
            return refusal("This server answers to its own address only.", 421)
        if not _same(headers, host) and not _followed(scope, headers):
            return refusal("Pages from elsewhere are not answered.", 403)
        return self._asked_token(scope, headers)

    @property
    def _cookie(self) -> str:
        """Browsers send cookies to all ports of a host: each playground has a name of its own."""
        return f"{COOKIE}-{self.settings.port}"

    def _asked_token(self, scope: Scope, headers: Headers) -> Response | None:
        token = self.settings.token
        if token is None:
            return None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if given and _equal(given, token) and scope["path"] == "/":
            # The token goes on in a cookie, so that links that are shared do not hold it.
            answer = RedirectResponse("/", 303)
            answer.set_cookie(self._cookie, token, httponly=True, samesite="strict")
            return answer
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if any(_equal(known, token) for known in (bearer, *_values(headers, self._cookie))):
            return None
        return refusal("Open the address with the token that `deliberate serve` printed.", 401)


def _equal(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "replace"), token.encode())


def _values(headers: Headers, name: str) -> list[str]:
    """All values of a cookie; whatever others beside it hold, which may be no valid cookies."""
    told = (part for line in headers.getlist("cookie") for part in line.split(";"))
    pairs = (part.strip().partition("=") for part in told)
    return [value.strip('"') for key, _, value in pairs if key == name]


def _name(host: str) -> str:
    """The name without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _same(headers: Headers, host: str) -> bool:
    """Whether the page that asks, as far as the browser tells, is one of this server's."""
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return False
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        return bool(host) and urlsplit(origin).netloc == host
    except ValueError:
        return False


def _followed(scope: Scope, headers: Headers) -> bool:
    """Whether a link elsewhere leads a person to the page, which tells that other site nothing."""
    page = scope["path"] == "/" or scope["path"].startswith("/static/")
    moved = headers.get("sec-fetch-mode") == "navigate" and "origin" not in headers
    return page and moved and scope["method"] == "GET"


def as_json(text: bytes) -> dict[str, str]:
    """The fields of a JSON body. Raises `RefusedError`."""
    try:
        found = json.loads(text or b"{}")
    except (ValueError, RecursionError):
        raise RefusedError("The body is no JSON.") from None
    if not isinstance(found, dict):
        raise RefusedError("The body is no JSON object.")
    kept = {}
    for name, value in found.items():
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise RefusedError(f"{name[:40]!r} is neither text nor a number.")
        kept[name] = str(value)
    try:
        "".join((*kept, *kept.values())).encode()
    except UnicodeEncodeError:
        raise RefusedError("The body holds text that is none (half of a surrogate pair).") from None
    return kept
