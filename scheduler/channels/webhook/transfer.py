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
from scheduler.channels.webhook.request import Prepared, Request
from scheduler.channels.webhook.response import KEPT_BYTES, Answer
from scheduler.channels.webhook.ssrf import WAY_OUT, AddressPolicy
from scheduler.message import Claim
from scheduler.settings import WebhookSettings

MAX_RESPONSE_BYTES = 65_536
"""A longer response is cut off.  Up to here it is read to its end, which keeps the connection for the next message."""

MAX_CONNECTION_SECONDS = 600

_NO_SOCKET: int = pycurl.SOCKET_BAD


class _LentSocket(socket.socket):
    """pycurl goes on with a duplicate of what it is handed; the original closes as soon as pycurl lets go of it."""

    def __del__(self) -> None:
        self.close()


class Delivery(NamedTuple):
    """A claim on its way through the channel."""

    claim: Claim
    prepared: Prepared
    report: Report


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
        """Monotonic seconds."""
        self.lateness_ms = 0.0
        self.refusal: str | None = None
        """Why a connection was not opened, by the address policy."""
        self.body = bytearray()
        self.cut = False
        """The response was longer than is read."""
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
        curl.setopt(pycurl.OPENSOCKETFUNCTION, self._open_socket)
        curl.setopt(pycurl.HEADERFUNCTION, self._header)
        curl.setopt(pycurl.WRITEFUNCTION, self._write)

    def begin(self, prepared: Prepared, request: Request, addresses: tuple[str, ...]) -> None:
        """Set the handle up for a request; the caller adds it to the multi handle.

        ``addresses`` are what the host resolved to; none for a URL whose host is an address.
        """
        self.refusal = None
        self.cut = False
        self._read = 0
        self.body.clear()
        curl = self.curl
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
        curl.setopt(pycurl.TIMEOUT_MS, prepared.timeout_ms or round(self._settings.timeout_seconds * 1000))

    def answer(self) -> Answer:
        """What came back; its status is 0 when nothing did."""
        status = int(self.curl.getinfo(pycurl.RESPONSE_CODE))
        return Answer(status, self._retry_after, self._no_retry, self._location)

    def _open_socket(self, _purpose: int, address: Any) -> socket.socket | int:
        """Open a socket for the very address that will be connected to, or refuse: no name can resolve past this."""
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

    def _header(self, line: bytes) -> None:
        # Called for every header of every response: most are out after one comparison.
        if line[:1] not in b"rRsSlLH":
            return
        if line.startswith(b"HTTP/"):
            # A response begins: the one of this transfer, or the final one after an interim one (100 to 103).
            self._retry_after = self._location = None
            self._no_retry = False
            return
        name, _, value = line.partition(b":")
        match name.lower():
            case b"retry-after":
                self._retry_after = value.strip().decode("latin-1")
            case b"scheduler-no-retry":
                self._no_retry = value.strip().lower() == b"true"
            case b"location":
                self._location = value.strip().decode("latin-1")

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
