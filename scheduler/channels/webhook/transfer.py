"""One libcurl easy handle and the attempt it carries out.  Handles are reused: making one costs more than a request."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Any, NamedTuple

import pycurl

from scheduler.channels.base import Report
from scheduler.channels.webhook.destination import Destination
from scheduler.channels.webhook.request import Prepared, WebhookRequest
from scheduler.channels.webhook.response import KEPT_BYTES, Answer
from scheduler.channels.webhook.ssrf import WAY_OUT, AddressPolicy
from scheduler.config.sections import WebhookSettings
from scheduler.message import Claim

MAX_RESPONSE_BYTES = 65_536
"""A longer response is cut off.  Up to here it is read to its end, which keeps the connection for the next message."""

MAX_CONNECTION_SECONDS = 600
MAX_IDLE_SECONDS = 4
"""A kept connection that was idle for longer is not used again.  Many servers close theirs after 5 s (Node.js, Apache,
uvicorn), and a request that crosses such a close is a failed attempt.
"""

_NO_SOCKET: int = pycurl.SOCKET_BAD


class _LentSocket(socket.socket):
    """pycurl goes on with a duplicate of what it is handed; the original closes as soon as pycurl lets go of it."""

    def __del__(self) -> None:
        self.close()


class Progress(NamedTuple):
    """What an attempt has been through before it sends again: to a new connection, or to where a redirect points."""

    started: float
    """Monotonic seconds: when its first transfer began."""
    lateness_ms: float
    refusals: int = 0
    """How often the endpoint refused to begin with the request."""
    redirects: int = 0


class Delivery(NamedTuple):
    """A claim on its way through the channel."""

    claim: Claim
    prepared: Prepared
    report: Report
    progress: Progress | None = None
    """None until the attempt has sent something that it may send again."""


class Transfer:
    """An attempt in flight.  Lives in the engine's thread; libcurl calls the underscored methods from there."""

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
        self.progress = Progress(0.0, 0.0)
        """Of the whole attempt."""
        self.refusal: str | None = None
        """Why a connection was not opened, by the address policy."""
        self.body = bytearray()
        self.cut = False
        """The response was longer than is read."""
        self.stopped = False
        """The connection was lost before an answer came, and libcurl was kept from sending the request again."""
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
        self._configure()

    def _configure(self) -> None:
        """What is the same for all transfers.  Everything that the environment could change is fixed here."""
        curl = self.curl
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.FOLLOWLOCATION, 0)
        # An empty proxy: http_proxy and its like are not for us, and a proxy would connect past the address policy.
        curl.setopt(pycurl.PROXY, "")
        curl.setopt(pycurl.NETRC, pycurl.NETRC_IGNORED)
        # Timeouts by signal are for single-threaded programs.
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.PATH_AS_IS, 1)
        curl.setopt(pycurl.SSL_VERIFYPEER, 1)
        curl.setopt(pycurl.SSL_VERIFYHOST, 2)
        # A wheel's libcurl looks for authorities where the machine that built it keeps them; Python knows where this
        # system does, and follows SSL_CERT_FILE and SSL_CERT_DIR.
        paths = ssl.get_default_verify_paths()
        if paths.cafile:
            curl.setopt(pycurl.CAINFO, paths.cafile)
        if paths.capath:
            curl.setopt(pycurl.CAPATH, paths.capath)
        # HTTP/2 where an endpoint offers it.  Without PIPEWAIT, which would save connections in a first burst: libcurl
        # then waits for the first answer of HTTP/1.1 endpoints too, and one that hangs holds up all others.
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, round(self._settings.connect_timeout_seconds * 1000))
        # A connection that is never idle would go on to an old address for ever after the name has moved.
        curl.setopt(pycurl.MAXLIFETIME_CONN, MAX_CONNECTION_SECONDS)
        curl.setopt(pycurl.MAXAGE_CONN, MAX_IDLE_SECONDS)
        curl.setopt(pycurl.OPENSOCKETFUNCTION, self._open_socket)
        curl.setopt(pycurl.PREREQFUNCTION, self._before_send)
        curl.setopt(pycurl.DEBUGFUNCTION, self._overhear)
        curl.setopt(pycurl.HEADERFUNCTION, self._header)
        curl.setopt(pycurl.WRITEFUNCTION, self._write)

    def begin(
        self, prepared: Prepared, request: WebhookRequest, addresses: tuple[str, ...], spent: float = 0.0
    ) -> None:
        """Set the handle up for a request; the caller adds it to the multi handle.

        ``addresses`` are what the host resolved to; none for a URL whose host is an address.  ``spent``: seconds of the
        attempt's time that are over.
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
            # "+": forgotten after a while, as an entry of libcurl's own would be.
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
        """A refused request goes to a new connection: others that are kept may be going away like the one it was on."""
        fresh = self.delivery.progress is not None and self.delivery.progress.refusals > 0
        if fresh != self._fresh:
            self._fresh = fresh
            self.curl.setopt(pycurl.FRESH_CONNECT, fresh)
        # Only libcurl's log tells a refused stream of HTTP/2 from a lost connection.  It costs 20 us per message.
        watched = self.destination.http2 is not False and self.delivery.prepared.url.scheme == "https"
        if watched != self._watched:
            self._watched = watched
            self.curl.setopt(pycurl.VERBOSE, watched)

    @property
    def http2(self) -> bool:
        """Whether the answer came by HTTP/2."""
        return bool(self.curl.getinfo(pycurl.INFO_HTTP_VERSION) == pycurl.CURL_HTTP_VERSION_2_0)

    @property
    def untouched(self) -> bool:
        """Whether the endpoint certainly did nothing with the request: it never left, or HTTP/2 says so."""
        return self.stopped and (self._refused or not self.curl.getinfo(pycurl.REQUEST_SIZE))

    def answer(self) -> Answer:
        """What came back; its status is 0 when nothing did."""
        status = int(self.curl.getinfo(pycurl.RESPONSE_CODE))
        return Answer(status, self._retry_after, self._no_retry, self._location)

    def _open_socket(self, _purpose: int, address: Any) -> socket.socket | int:
        """Open a socket for the very address that will be connected to, or refuse: no name can resolve past this."""
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

        When a kept connection is lost before an answer, libcurl sends again by itself.  The endpoint may have worked on
        the first one, so a second one would be an attempt that nobody counts.
        """
        if not self._sent:
            self._sent = True
            return int(pycurl.PREREQFUNC_OK)
        self.stopped = True
        return int(pycurl.PREREQFUNC_ABORT)

    def _overhear(self, kind: int, text: bytes) -> None:
        """Note what libcurl only tells its log."""
        if kind != pycurl.INFOTYPE_TEXT:
            return
        if b"try again on a new connection" in text:
            # HTTP/2: the stream was refused, or came after the last one of a GOAWAY.
            self._refused = True
        elif b"Downgrades to HTTP/1.1" in text:
            # Refused likewise, and libcurl goes on by HTTP/1.1 as the endpoint asks.
            self._sent = False

    def _header(self, line: bytes) -> None:
        # Called for every header of every response: most are out after one comparison.
        if line[:1] not in b"\r\nrRsSlLH":
            return
        if line in (b"\r\n", b"\n"):
            self.complete = True
            return
        if line.startswith(b"HTTP/"):
            # A response begins: the one of this transfer, or the final one after an interim one (100 to 103).
            self._retry_after = self._location = None
            self._no_retry = self.complete = False
            return
        if self.complete:
            # A trailer: what comes after the body cannot change what the answer means (RFC 9110, 6.5.1).
            return
        name, _, value = line.partition(b":")
        match name.lower():
            case b"retry-after":
                self._retry_after = value.strip().decode("latin-1")
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
