"""Tell what an error of Redis means: one sentence per kind, for all versions and for proxies in front of Redis.

An unknown error counts as "Redis is away": the client gets 503 and tries again, and outcomes are kept.  If it counted
as a defect of the service, the outcome of a delivered message would be given up, and the message delivered twice.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from redis import exceptions

from scheduler.errors import StoreUnavailable

ERRORS = (exceptions.RedisError, exceptions.RedisClusterException)
"""The base classes of all errors of a Redis client; the second is not a subclass of the first."""


class _Kind(NamedTuple):
    pattern: re.Pattern[str]
    """Searched in the whole text with its code: each version wraps the errors of a script's commands in another way,
    and proxies add their own words."""
    reason: str


def _kind(pattern: str, reason: str) -> _Kind:
    return _Kind(re.compile(pattern, re.IGNORECASE), reason)


FULL = "Redis is full"
NOT_LET_IN = "Redis refuses the user or password"
LACKS_RIGHT = "This Redis user lacks a right that the service needs"

LOADING = "Redis is loading its data"
_NO_PRIMARY = "Redis is a replica that has lost its primary"
_CLUSTER_DOWN = "The Redis Cluster is down"
_CLUSTER_MOVES = "The Redis Cluster is moving its data"
_BUSY = "Redis is busy with a script"

PASSING = frozenset({LOADING, _NO_PRIMARY, _CLUSTER_DOWN, _CLUSTER_MOVES, _BUSY})
"""Reasons that pass by themselves: a start waits for them, and fails at once for others."""

_KINDS = (
    _kind(r"\bOOM\b|used memory > 'maxmemory'", FULL),
    _kind(
        r"\bNOPERM\b|no permissions? to|ACL failure|user executing the script can't",
        LACKS_RIGHT,
    ),
    _kind(
        r"\bNOAUTH\b|\bWRONGPASS\b|invalid (username-)?password|authentication required|AuthenticationError",
        NOT_LET_IN,
    ),
    _kind(r"\bMISCONF\b", "Redis cannot write to its disk"),
    _kind(r"\bREADONLY\b|against a read only", "Redis is a read-only replica"),
    _kind(r"\bNOREPLICAS\b|not enough good replicas", "Redis has too few replicas"),
    _kind(r"\bLOADING\b|loading the dataset", LOADING),
    _kind(r"\bMASTERDOWN\b", _NO_PRIMARY),
    _kind(r"\bCLUSTERDOWN\b|slots? not covered|not covered by the cluster", _CLUSTER_DOWN),
    _kind(r"\bTRYAGAIN\b|\bMOVED\b|\bASK\b", _CLUSTER_MOVES),
    _kind(r"\bBUSY\b", _BUSY),
)
# Errors of the connection: their texts quote no answer of Redis.
_NO_ANSWER = (exceptions.ConnectionError, exceptions.TimeoutError)

# Lua's messages about a fault in a script.  The same call would fail for ever, and trying it again would block
# everything that waits behind it.
_DEFECT = re.compile(
    r"attempt to (index|call|compare|concatenate|perform)|bad argument #|nonexistent global|too many results to unpack"
    r"|command arguments must be strings or integers|error compiling script",
    re.IGNORECASE,
)


def is_defect(error: Exception) -> bool:
    """Return whether the fault lies in this service's own code, so that trying again cannot help."""
    return isinstance(error, exceptions.DataError) or bool(_DEFECT.search(str(error)))


def reason_of(error: Exception) -> str:
    """Return what is wrong with Redis, as the beginning of a sentence without a full stop."""
    # redis-py removes the code from the text of errors that it has a class for.
    text = f"{getattr(error, 'status_code', None) or ''} {error}"
    for kind in _KINDS:
        if kind.pattern.search(text):
            return kind.reason
    return "Redis does not answer" if isinstance(error, _NO_ANSWER) else "Redis refuses"


def unavailable(error: Exception) -> StoreUnavailable:
    """Convert an error of Redis to ``StoreUnavailable``."""
    reason = reason_of(error)
    return StoreUnavailable(f"{reason}: {error}", reason=reason)
