"""One libcurl easy handle and its current attempt.  Handles are reused, as making one costs more than a request."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import pycurl

from scheduler.channels.base import Report
from scheduler.channels.webhook.destination import Destination
from scheduler.channels.webhook.request import Prepared, WebhookRequest
from scheduler.channels.webhook.response import KEPT_BYTES, Answer, reset_of
from scheduler.channels.webhook.ssrf import WAY_OUT, AddressPolicy
from scheduler.config.sections.webhook import WebhookSettings
from scheduler.message import Claim

if TYPE_CHECKING:
    from scheduler.otel.tracing import SentRequest

MAX_RESPONSE_BYTES = 65_536
"""A longer response is cut off.  Shorter ones are read to their end, so that the connection can be used again."""

MAX_CONNECTION_SECONDS = 600
MAX_IDLE_SECONDS = 4
"""A connection that was idle for longer is not used again.  Many servers close theirs after 5 s (Node.js, Apache,
uvicorn), and a request that is sent at that moment fails.
"""

_NO_SOCKET: int = pycurl.SOCKET_BAD


class _LentSocket(socket.socket):
    """A socket that closes when pycurl drops it; pycurl works with a duplicate of the descriptor."""

    def __del__(self) -> None:
        self.close()


class Progress(NamedTuple):
    """The history of an attempt that sends again, on a new connection or to the target of a redirect."""

    started: float
    """Monotonic seconds: when its first transfer began."""
    lateness_ms: float
    refusals: int = 0
    """How often the endpoint refused the request before it did anything with it."""
    redirects: int = 0


class Delivery(NamedTuple):
    """A claim in the channel."""

    claim: Claim
    prepared: Prepared
    report: Report
    progress: Progress | None = None
    """None before the first transfer of the attempt."""
    probe: bool = False
    """It shows whether a destination that was left alone works again."""


class Transfer:
    """A transfer of an attempt.  Only the engine's thread uses it; libcurl calls its private methods from there."""

    def __init__(self, settings: WebhookSettings, policy: AddressPolicy, before_open: Callable[[], None]) -> None:
        """``before_open`` is called before each new socket is opened."""
        self._policy = policy
        self._before_open = before_open
        self._settings = settings
        self.curl = pycurl.Curl()
        self.delivery: Delivery
        self.destination: Destination[Delivery]
        self.started = 0.0
        """Monotonic seconds: when this transfer began."""
        self.span: SentRequest | None = None
        """None: it is not recorded."""
        self.progress = Progress(0.0, 0.0)
        """The progress of the whole attempt."""
        self.refusal: str | None = None
        """Why the address policy refused the connection."""
        self.body = bytearray()
        self.cut = False
        """The response was longer than ``MAX_RESPONSE_BYTES``."""
        self.stopped = False
        """The connection was lost before an answer came, and libcurl was not allowed to send the request again."""
        self.complete = False
        """All headers of the answer arrived."""
        self._sent = False
        self._refused = False
        self._fresh = False
        self._watched = False
        self._read = 0
        self._retry_after: str | None = None
        self._no_retry = False
        self._location: str | None = None
        self._pause: str | None = None
        self._configure()

    def _configure(self) -> None:
        """Set the options that all transfers share, including those that the environment could change."""
        curl = self.curl
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.FOLLOWLOCATION, 0)
        # No proxy, whatever http_proxy says: a proxy's connections would bypass the address policy.
        curl.setopt(pycurl.PROXY, "")
        curl.setopt(pycurl.NETRC, pycurl.NETRC_IGNORED)
        # libcurl's timeouts by signal do not work with threads.
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.PATH_AS_IS, 1)
        curl.setopt(pycurl.SSL_VERIFYPEER, 1)
        curl.setopt(pycurl.SSL_VERIFYHOST, 2)
        # The libcurl of a wheel looks for certificate authorities in the paths of the machine that built it.  Python
        # knows those of this system, and reads SSL_CERT_FILE and SSL_CERT_DIR.
        paths = ssl.get_default_verify_paths()
        if paths.cafile:
            curl.setopt(pycurl.CAINFO, paths.cafile)
        if paths.capath:
            curl.setopt(pycurl.CAPATH, paths.capath)
        # HTTP/2 if the endpoint offers it.  PIPEWAIT would save connections in a first burst, but libcurl would then
        # wait for the first answer of HTTP/1.1 endpoints too, and one request that hangs would delay all others.
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, round(self._settings.connect_timeout_seconds * 1000))
        # Otherwise a connection that is never idle would be used for ever, also after the name has moved.
        curl.setopt(pycurl.MAXLIFETIME_CONN, MAX_CONNECTION_SECONDS)
        curl.setopt(pycurl.MAXAGE_CONN, MAX_IDLE_SECONDS)
        curl.setopt(pycurl.OPENSOCKETFUNCTION, self._open_socket)
        curl.setopt(pycurl.PREREQFUNCTION, self._before_send)
        curl.setopt(pycurl.DEBUGFUNCTION, self._read_log)
        curl.setopt(pycurl.HEADERFUNCTION, self._header)
        curl.setopt(pycurl.WRITEFUNCTION, self._write)

    def begin(
        self, prepared: Prepared, request: WebhookRequest, addresses: tuple[str, ...], spent: float = 0.0
    ) -> None:
        """Set the handle up for a request; the caller adds it to the multi handle.

        ``addresses``: those of the host; empty when the URL's host is an address.  ``spent``: seconds of the attempt's
        time limit that have passed.
        """
        self.refusal = None
        self.cut = self.stopped = self.complete = self._sent = self._refused = False
        self._read = 0
        self.body.clear()
        curl = self.curl
        self._choose_connection()
        url = prepared.url
        curl.setopt(pycurl.URL, url.text)
        if addresses:
            shown = ",".join(f"[{address}]" if ":" in address else address for address in addresses)
            # "+": the entry expires like those of libcurl's own cache.
            curl.setopt(pycurl.RESOLVE, [f"+{url.host}:{url.port}:{shown}"])
        if request.body is None:
            curl.setopt(pycurl.HTTPGET, 1)
        else:
            curl.setopt(pycurl.POST, 1)
            curl.setopt(pycurl.POSTFIELDS, request.body)
        curl.setopt(pycurl.CUSTOMREQUEST, prepared.method)
        curl.setopt(pycurl.HTTPHEADER, request.headers)
        timeout_ms = prepared.timeout_ms or round(self._settings.timeout_seconds * 1000)
        # 0 would mean no limit.
        curl.setopt(pycurl.TIMEOUT_MS, max(1, timeout_ms - round(spent * 1000)))

    def _choose_connection(self) -> None:
        """Send a refused request on a new connection: the endpoint may be closing the other kept ones too."""
        fresh = self.delivery.progress is not None and self.delivery.progress.refusals > 0
        if fresh != self._fresh:
            self._fresh = fresh
            self.curl.setopt(pycurl.FRESH_CONNECT, fresh)
        # Only libcurl's log distinguishes a refused HTTP/2 stream from a lost connection.  It costs 20 µs per message.
        watched = self.destination.http2 is not False and self.delivery.prepared.url.scheme == "https"
        if watched != self._watched:
            self._watched = watched
            self.curl.setopt(pycurl.VERBOSE, watched)

    @property
    def http2(self) -> bool:
        """Return whether the answer came by HTTP/2."""
        return bool(self.curl.getinfo(pycurl.INFO_HTTP_VERSION) == pycurl.CURL_HTTP_VERSION_2_0)

    @property
    def untouched(self) -> bool:
        """Return whether the endpoint did nothing with the request: it was never sent, or HTTP/2 says so."""
        return self.stopped and (self._refused or not self.curl.getinfo(pycurl.REQUEST_SIZE))

    def answer(self) -> Answer:
        """Return the answer; its status is 0 when none came."""
        status = int(self.curl.getinfo(pycurl.RESPONSE_CODE))
        return Answer(status, self._retry_after, self._no_retry, self._location, self._pause)

    def _open_socket(self, _purpose: int, address: Any) -> socket.socket | int:
        """Open a socket, or refuse.  The address is the one that will be connected to, so no name can bypass this."""
        if self._sent:
            self.stopped = True
            return _NO_SOCKET
        family, kind, protocol, endpoint = address
        refusal = self._policy.refusal(self.destination.host, endpoint[0])
        if refusal:
            self.refusal = f"{refusal}, which is not allowed {WAY_OUT}"
            return _NO_SOCKET
        self._before_open()
        try:
            return _LentSocket(family, kind, protocol)
        except OSError:
            return _NO_SOCKET

    def _before_send(self, *_addresses: Any) -> int:
        """Let libcurl send the request once.

        When a kept connection is lost before an answer, libcurl sends the request again by itself.  The endpoint may
        have processed the first request, so the second would be an attempt that is not counted.
        """
        if not self._sent:
            self._sent = True
            return int(pycurl.PREREQFUNC_OK)
        self.stopped = True
        return int(pycurl.PREREQFUNC_ABORT)

    def _read_log(self, kind: int, text: bytes) -> None:
        """Note two events that libcurl only writes to its log."""
        if kind != pycurl.INFOTYPE_TEXT:
            return
        if b"try again on a new connection" in text:
            # HTTP/2: the stream was refused, or is after the last stream of a GOAWAY.
            self._refused = True
        elif b"Downgrades to HTTP/1.1" in text:
            # Refused too; libcurl sends it again by HTTP/1.1, as the endpoint asks.
            self._sent = False

    def _header(self, line: bytes) -> None:
        # Called for every header of every response, so most are dismissed with one comparison.
        if line[:1] not in b"\r\nrRsSlLH":
            return
        if line in (b"\r\n", b"\n"):
            self.complete = True
            return
        if line.startswith(b"HTTP/"):
            # A response begins: the only one, or the final one after an interim response (100 to 103).
            self._retry_after = self._location = self._pause = None
            self._no_retry = self.complete = False
            return
        if self.complete:
            # Trailers come after the body and must not change the meaning of the answer (RFC 9110, 6.5.1).
            return
        name, _, value = line.partition(b":")
        match name.lower():
            case b"retry-after":
                self._retry_after = value.strip().decode("latin-1")
            case b"ratelimit-reset":
                self._pause = value.strip().decode("latin-1")
            case b"ratelimit":
                self._pause = reset_of(value.strip().decode("latin-1")) or self._pause
            case b"scheduler-no-retry":
                self._no_retry = value.strip().lower() == b"true"
            case b"location":
                self._location = value.strip().decode(errors="replace")

    def _write(self, chunk: bytes) -> int | None:
        self._read += len(chunk)
        if len(self.body) < KEPT_BYTES:
            self.body += chunk[: KEPT_BYTES - len(self.body)]
        if self._read > MAX_RESPONSE_BYTES:
            self.cut = True
            # Any number but the chunk's length makes libcurl end the transfer and close the connection.
            return 0
        return None

    def close(self) -> None:
        with contextlib.suppress(pycurl.error):
            self.curl.close()
