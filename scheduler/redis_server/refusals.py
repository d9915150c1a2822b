"""What an error of Redis means: one sentence per kind, on every version and whatever stands between.

An error that is not known counts as "Redis is away": the caller gets 503 and tries again, and outcomes are kept.  The
other reading, "a defect of ours", would give up the outcome of a message that was delivered, which then runs twice.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from redis import exceptions

from scheduler.errors import StoreUnavailable

ERRORS = (exceptions.RedisError, exceptions.RedisClusterException)
"""Whatever a client of Redis raises; the second is no subclass of the first."""


class _Kind(NamedTuple):
    pattern: re.Pattern[str]
    """Sought in the whole text, code included: a script wraps the errors of its commands, each version in another way,
    and proxies add words of their own."""
    reason: str


def _kind(pattern: str, reason: str) -> _Kind:
    return _Kind(re.compile(pattern, re.IGNORECASE), reason)


FULL = "Redis is full"
NOT_LET_IN = "Redis refuses the user or password"
LACKS_RIGHT = "This Redis user lacks a right that the service needs"

_LOADING = "Redis is loading its data"
_NO_PRIMARY = "Redis is a replica that has lost its primary"
_CLUSTER_DOWN = "The Redis Cluster is down"
_CLUSTER_MOVES = "The Redis Cluster is moving its data"
_BUSY = "Redis is busy with a script"

PASSING = frozenset({_LOADING, _NO_PRIMARY, _CLUSTER_DOWN, _CLUSTER_MOVES, _BUSY})
"""Reasons that pass by themselves: a start waits, where it fails at once for wrong settings."""

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
    _kind(r"\bLOADING\b|loading the dataset", _LOADING),
    _kind(r"\bMASTERDOWN\b", _NO_PRIMARY),
    _kind(r"\bCLUSTERDOWN\b|slots? not covered|not covered by the cluster", _CLUSTER_DOWN),
    _kind(r"\bTRYAGAIN\b|\bMOVED\b|\bASK\b", _CLUSTER_MOVES),
    _kind(r"\bBUSY\b", _BUSY),
)
# These say in their texts what went wrong on the way, or nothing: no answer of Redis is quoted.
_NO_ANSWER = (exceptions.ConnectionError, exceptions.TimeoutError)

# Lua's own words for a fault in the text of a script, and redis-py's for a value that it cannot send.  The same call
# fails for ever: tried again, it would hold up everything that waits behind it.
_DEFECT = re.compile(
    r"attempt to (index|call|compare|concatenate|perform)|bad argument #|nonexistent global|too many results to unpack"
    r"|error compiling script",
    re.IGNORECASE,
)


def is_defect(error: Exception) -> bool:
    """The fault lies in this service's own code, and no other try can succeed."""
    return isinstance(error, exceptions.DataError) or bool(_DEFECT.search(str(error)))


def reason_of(error: Exception) -> str:
    """What is the matter with Redis, as the beginning of a sentence without its full stop."""
    # redis-py takes the code off the text of those errors that it has a class for.
    text = f"{getattr(error, 'status_code', None) or ''} {error}"
    for kind in _KINDS:
        if kind.pattern.search(text):
            return kind.reason
    return "Redis does not answer" if isinstance(error, _NO_ANSWER) else "Redis refuses"


def unavailable(error: Exception) -> StoreUnavailable:
    """An error of Redis as this service's own."""
    reason = reason_of(error)
    return StoreUnavailable(f"{reason}: {error}", reason=reason)
