"""Read ``Redis.ConnectionString`` into the parts of an address.  Pure: no connection is made."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from scheduler.errors import ConfigError

ACCEPTED: Final = (
    "embedded, localhost, host, host:port, [IPv6 address]:port, redis://[user:password@]host[:port][/db], "
    "rediss://… (TLS), unix:///path/to/redis.sock, sentinel://[user:password@]host[:port],…/service[/db]"
    "[?sentinel_username=…&sentinel_password=…] or cluster://[user:password@]host[:port],…"
)
TLS_OPTIONS: Final = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname"})
_DEFAULT_PORTS: Final = {"sentinel": 26379, "cluster": 6379}


@dataclass(frozen=True, slots=True)
class Target:
    """The address of Redis.  Only ``str(target)`` is free of secrets."""

    kind: str
    """``embedded``, ``tcp``, ``tls``, ``unix``, ``sentinel`` or ``cluster``."""
    host: str = "localhost"
    port: int = 6379
    path: str = ""
    """Of the socket, for ``unix``."""
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    options: dict[str, str] = field(default_factory=dict)
    """``TLS_OPTIONS`` for ``tls``."""
    of_sentinels: dict[str, str] = field(default_factory=dict, repr=False)
    """``username`` and ``password`` for the sentinels, which are not those for Redis."""
    hosts: tuple[tuple[str, int], ...] = ()
    """``sentinel``: the sentinels; ``cluster``: some of its nodes."""
    service: str = ""
    """``sentinel``: the sentinels' name for the primary."""

    def __str__(self) -> str:
        """Return the address with its secrets masked."""
        if self.kind == "embedded":
            return "embedded"
        user = f"{self.username or ''}:***@" if self.password else ""
        if self.kind == "unix":
            return f"unix://{user}{self.path}"
        if self.hosts:
            several = ",".join(_address(host, port) for host, port in self.hosts)
            return f"{self.kind}://{user}{several}" + (f"/{self.service}/{self.db}" if self.service else "")
        scheme = "rediss" if self.kind == "tls" else "redis"
        return f"{scheme}://{user}{_address(self.host, self.port)}/{self.db}"


def parse(connection_string: str) -> Target:
    """Read a connection string.  Raises ``ConfigError`` that lists the accepted forms."""
    try:
        return target_of(connection_string)
    except ValueError as error:
        raise ConfigError([f"Redis.ConnectionString (env REDIS_URL): {error}; accepted are: {ACCEPTED}"]) from None


def target_of(connection_string: str) -> Target:
    """Read a connection string.  Raises ValueError that says what is wrong and repeats no secret."""
    text = connection_string.strip()
    if text.lower() == "embedded":
        return Target("embedded")
    if not text:
        raise ValueError("it is empty")
    scheme, separator, _ = text.partition("://")
    if not separator:
        return _parse_url(f"redis://{text}", "tcp")
    if scheme.lower() in _DEFAULT_PORTS:
        return _parse_several(text, scheme.lower())
    kind = {"redis": "tcp", "rediss": "tls", "unix": "unix"}.get(scheme.lower())
    if kind is None:
        raise ValueError("its scheme is not known")
    return _parse_url(text, kind)


def secrets_in(connection_string: str) -> list[str]:
    """Return the passwords in the text, as written and decoded."""
    found: list[str] = []
    in_url = r"://[^/:@]*:([^/]*)@|[?&](?:sentinel_)?password=([^&]*)"
    for before_host, in_query in re.findall(in_url, connection_string):
        password = before_host or in_query
        found += [password, unquote(password)]
    return found


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _parse_several(url: str, kind: str) -> Target:
    """Read ``sentinel://user:password@one:26379,two:26379/service/db`` or ``cluster://user:password@one,two:6379``."""
    _require_printable(url)
    rest = url.partition("://")[2]
    credentials, _, rest = rest.rpartition("@")
    rest, _, query = rest.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True)) if kind == "sentinel" else {query: ""} if query else {}
    if not {"sentinel_username", "sentinel_password"}.issuperset(options):
        raise ValueError("it has an option other than sentinel_username, sentinel_password of a sentinel:// address")
    addresses, _, path = rest.partition("/")
    user = _split(f"//{credentials}@h") if credentials else None
    hosts = []
    for address in addresses.split(","):
        parts = _split(f"//{address}")
        if not parts.hostname or parts.path or parts.query or parts.fragment:
            raise ValueError("its hosts must be host:port, separated by commas")
        hosts.append((_host(parts), _port(parts, _DEFAULT_PORTS[kind])))
    service, _, db = path.strip("/").partition("/")
    if kind == "sentinel" and not service:
        raise ValueError("the sentinels' name for the service is missing after the hosts")
    if kind == "cluster" and path.strip("/"):
        raise ValueError("a cluster has no databases: nothing may follow its hosts")
    return Target(
        kind,
        hosts=tuple(hosts),
        service=unquote(service),
        db=_database(db or None),
        username=unquote(user.username) if user and user.username else None,
        password=unquote(user.password) if user and user.password else None,
        of_sentinels={name.removeprefix("sentinel_"): value for name, value in options.items()},
    )


def _require_printable(url: str) -> None:
    if any(character.isspace() or not character.isprintable() for character in url):
        raise ValueError("it holds white space or a control character")


def _parse_url(url: str, kind: str) -> Target:
    _require_printable(url)
    parts = _split(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    db = options.pop("db", None)
    allowed = TLS_OPTIONS if kind == "tls" else frozenset()
    # Errors never repeat a part of the string: a password with an unencoded / or ? may end up in any part.
    if not allowed.issuperset(options):
        raise ValueError(f"it has an option other than {', '.join(sorted(allowed | {'db'}))}")
    common: dict[str, Any] = {
        "username": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "options": options,
    }
    if kind == "unix":
        if parts.netloc.rpartition("@")[2] or not parts.path or "\0" in unquote(parts.path):
            raise ValueError("a unix socket needs an absolute path after unix://")
        return Target(kind, path=unquote(parts.path), db=_database(db), **common)
    if parts.fragment:
        raise ValueError("a # in a password must be written %23")
    path = parts.path.strip("/")
    return Target(kind, _host(parts) or "localhost", _port(parts), db=_database(db or path or None), **common)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # its text repeats the part it could not read, which may be the password
        raise ValueError("its host is malformed (write / ? # @ [ ] in a password as %2F %3F %23 %40 %5B %5D)") from None


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    try:
        host.encode("idna")  # fails here instead of at every connection
    except UnicodeError:
        raise ValueError("its host is not a valid host name") from None
    return host


def _port(parts: SplitResult, default: int = 6379) -> int:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("the port must be a number from 1 to 65535 (write / ? # @ in a password as %2F %3F %23 %40)")
    return port or default


def _database(text: str | None) -> int:
    if text is None:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError("the database after the last / must be a number below 1000000000")
    return int(text)
