"""A running service, spoken to over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from scheduler import __version__
from scheduler.cli.exits import Exit, Failure
from scheduler.masking import mask

if TYPE_CHECKING:
    import httpx

TIMEOUT_SECONDS: Final = 30.0
TRIES: Final = 3
LONGEST_PAUSE_SECONDS: Final = 5.0
_PAGE: Final = 500
_CODES: Final = {
    400: Exit.USAGE,
    401: Exit.NOT_ALLOWED,
    403: Exit.NOT_ALLOWED,
    404: Exit.NOT_FOUND,
    409: Exit.REFUSED,
    413: Exit.USAGE,
    415: Exit.USAGE,
    422: Exit.USAGE,
    429: Exit.UNREACHABLE,
    503: Exit.UNREACHABLE,
}
_BY_A_PROXY: Final = {
    401: Exit.NOT_ALLOWED,
    403: Exit.NOT_ALLOWED,
    407: Exit.NOT_ALLOWED,
    502: Exit.UNREACHABLE,
    503: Exit.UNREACHABLE,
    504: Exit.UNREACHABLE,
}
"""The same of answers that are not the service's own: a 404 of a proxy says nothing about a message."""
_PASSES: Final = (502, 503, 504)


class Remote:
    """The service at an address."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url.rstrip("/")
        # From a file it often comes with the end of its line.
        self.token = (token or "").strip()
        self._http: httpx.Client | None = None

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Return the JSON that the service answers.  ``params``: those that are None are left out.

        What does no harm when it is sent twice is sent up to three times while nobody answers: reading, replacing,
        and whatever has an Idempotency-Key.  Raises ``Failure`` for everything but success.
        """
        repeatable = method in ("GET", "PUT") or "Idempotency-Key" in (headers or {})
        given = {name: value for name, value in (params or {}).items() if value is not None}
        for tries_left in reversed(range(TRIES if repeatable else 1)):
            try:
                answer = self.send(method, path, body, given, headers)
            except Failure:
                if not tries_left:
                    raise
                pause = 0.5
            else:
                if answer.status_code not in _PASSES or not tries_left:
                    break
                asked = answer.headers.get("Retry-After", "")
                pause = float(asked) if asked.isdecimal() else 1.0
            threading.Event().wait(min(pause, LONGEST_PAUSE_SECONDS))
        if not answer.is_success:
            raise refusal(answer)
        found = json_of(answer)
        if found is None and (answer.content or method == "GET"):
            raise foreign(answer)
        return found

    def pages(self, path: str, key: str, params: Mapping[str, Any], most: int | None) -> Iterator[Any]:
        """Yield the entries of a list, page after page.  ``key``: where they lie; ``most``: None for all."""
        cursor, left = None, most
        while left is None or left > 0:
            limit = _PAGE if left is None else min(left, _PAGE)
            page = self.call("GET", path, params={**params, "limit": limit, "cursor": cursor})
            yield from page[key]
            left = None if left is None else left - len(page[key])
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def stream(self, path: str, params: Mapping[str, Any], headers: Mapping[str, str]) -> Iterator[bytes]:
        """Yield an answer piece by piece.  Raises ``Failure`` for everything but the whole of it."""
        import httpx

        with self._answered(), self._client().stream("GET", path, params=params, headers=headers) as answer:
            if not answer.is_success:
                answer.read()
                raise refusal(answer)
            if not answer.headers.get("Content-Type", "").startswith(headers["Accept"]):
                raise foreign(answer)
            try:
                yield from answer.iter_bytes()
            except httpx.RemoteProtocolError:
                raise Failure(Exit.UNREACHABLE, "The answer was cut off: what was written is not all of it.") from None

    def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            self._http.close()

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Return whatever the service answers.  Raises ``Failure`` when it does not."""
        headers = dict(headers or {})
        content = None
        if body is not None:
            try:
                content = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
            except ValueError as error:
                raise Failure(Exit.USAGE, f"It cannot be sent as JSON ({error}); accepted: UTF-8, no NaN") from None
            headers["Content-Type"] = "application/json"
        with self._answered():
            return self._client().request(method, path, content=content, params=params, headers=headers)

    def _client(self) -> httpx.Client:
        if self._http is None:
            self._http = client(self.url, self.token)
        return self._http

    @contextmanager
    def _answered(self) -> Iterator[None]:
        import httpx

        address = mask(self.url)
        try:
            yield
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            why = str(error).rstrip(".")
            raise Failure(Exit.USAGE, f"--url: {address} is no address ({why}); accepted: http://host:port") from None
        except httpx.RequestError as error:
            raise Failure(
                Exit.UNREACHABLE,
                f"{address} does not answer ({str(error) or type(error).__name__}). Is the service running there? "
                "Start one with message-scheduler serve, or name another one with --url or MESSAGE_SCHEDULER_URL.",
            ) from None


def client(url: str, token: str | None) -> httpx.Client:
    """Return a client of the service; tests put one of their own in its place."""
    import httpx

    headers = {"User-Agent": f"message-scheduler/{__version__}"}
    if token:
        if not (token.isascii() and token.isprintable()):
            raise Failure(Exit.USAGE, "The token has a character that no header can have; accepted: ASCII")
        headers["Authorization"] = f"Bearer {token}"
    # The authorities' certificates take long to load, and http, which is redirected nowhere, needs none.
    verify = not url.lower().startswith("http:")
    try:
        return httpx.Client(
            base_url=url, headers=headers, timeout=TIMEOUT_SECONDS, trust_env=not is_here(url), verify=verify
        )
    except (ImportError, OSError, ValueError) as error:
        raise Failure(
            Exit.USAGE,
            f"The proxy or the certificates that the environment names cannot be used ({error}). "
            "NO_PROXY names hosts that need no proxy.",
        ) from None


def is_here(url: str) -> bool:
    """Return whether this machine is meant, which a proxy of the environment does not reach."""
    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")


def json_of(answer: httpx.Response) -> dict[str, Any] | None:
    """Return what the service answered, which is always an object; None for what it never answers."""
    try:
        found = answer.json()
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def refusal(answer: httpx.Response) -> Failure:
    """Return what an answer without success means, in the service's own words."""
    body = json_of(answer) or {}
    sentence = body.get("detail") or body.get("message")
    if sentence is None:
        return foreign(answer)
    code = _CODES.get(answer.status_code, Exit.FAILED)
    if code == Exit.NOT_ALLOWED and answer.status_code == 401:
        sentence = f"{sentence} Give the token with MESSAGE_SCHEDULER_TOKEN or --token."
    return Failure(code, str(sentence), {"status": answer.status_code, "errors": body.get("errors", [])})


def foreign(answer: httpx.Response) -> Failure:
    """Return what it means that something else than the service answers."""
    status = answer.status_code
    asked = mask(str(answer.request.url))
    sentence = f"{asked} answers {status}, and not as the service does. Is the address right (--url)?"
    if answer.is_redirect:
        sentence = f"{asked} redirects to {mask(answer.headers['Location'])}: give the address there with --url."
    return Failure(_BY_A_PROXY.get(status, Exit.FAILED), sentence, {"status": status})


def path_of(kind: str, id: str, *more: str) -> str:
    """Return the path of one thing: ``path_of("messages", "a", "run")`` is ``/v1/messages/a/run``."""
    return "/".join(["/v1", kind, quote(id, safe=""), *more])
