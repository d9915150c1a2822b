"""Register job types by name, and load the modules that do so."""

from __future__ import annotations

import importlib
import inspect
import math
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

from scheduler.errors import ConfigError
from scheduler.jobs.context import JobContext

Handler = Callable[[Any, JobContext], Any]
"""Takes (payload, context) and returns a JSON value."""

Function = TypeVar("Function", bound=Handler)

NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
DEFAULT_LIMIT = 300.0
SHORTEST_LIMIT = 0.1


class JobType(NamedTuple):
    """A registered handler."""

    name: str
    run: Handler
    time_limit: float | None
    """Seconds; None is without limit."""
    concurrency: int | None = None
    """Messages of this type that a server may have in flight at once; None: as many as it has threads for jobs."""


class Registry:
    """Job types by name.  Thread-safe."""

    def __init__(self) -> None:
        self.fallback = ""
        """The registered type that runs jobs of types without a handler (``Jobs.Fallback``); empty for none."""
        self._types: dict[str, JobType] = {}
        self._lock = threading.Lock()

    def handler(
        self, name: str, *, time_limit: float | None = DEFAULT_LIMIT, concurrency: int | None = None
    ) -> Callable[[Function], Function]:
        """Register the decorated function, ``handler(payload, context)``, as job type ``name``.

        ``time_limit``: seconds that an attempt may take; None: no limit.  ``concurrency``: messages of this type that a
        server may have in flight at once; None: as many as it has threads for jobs.  The others wait in Redis, where
        another server can claim them.  The function is not changed, so tests can call it directly.

        Raises ValueError for a name that is invalid or registered already, and TypeError for a coroutine or generator
        function: a call of one runs none of it.
        """
        if not NAME.fullmatch(name):
            raise ValueError(f"job type {name!r}: accepted are 1 to 128 letters, digits and _ . : -")
        if time_limit is not None and not (math.isfinite(time_limit) and time_limit >= SHORTEST_LIMIT):
            raise ValueError(f"job type {name!r}: time_limit must be None or at least {SHORTEST_LIMIT} seconds")
        if concurrency is not None and concurrency < 1:
            raise ValueError(f"job type {name!r}: concurrency must be None or at least 1")

        def register(function: Function) -> Function:
            if _only_prepares(function) or _only_prepares(getattr(function, "__call__", None)):  # noqa: B004
                raise TypeError(f"job type {name!r}: a handler is a plain function, not a coroutine or a generator")
            with self._lock:
                other = self._types.get(name)
                # The same function again: its module was imported a second time.
                if other is not None and _origin(other.run) != _origin(function):
                    raise ValueError(f"job type {name!r}: {_origin(other.run)} has this name already")
                self._types[name] = JobType(name, function, time_limit, concurrency)
            return function

        return register

    def get(self, name: str | None) -> JobType | None:
        """Return the type of this name, else the fallback; None when there is neither."""
        return self._types.get(name or "") or self._types.get(self.fallback)

    def lane_of(self, name: str) -> str | None:
        """Return the fallback's lane for a job that the fallback runs; None: the lane that its own type implies."""
        found = self.get(name)
        return None if found is None or found.name == name else f"job:{found.name}"

    def __iter__(self) -> Iterator[JobType]:
        """Iterate over all types, sorted by name."""
        return iter([self._types[name] for name in self.names()])

    def names(self) -> list[str]:
        """Return the names of all types, sorted."""
        return sorted(self._types)

    def unknown(self, name: str | None) -> str:
        """Return the error text for an unknown type, with the known ones."""
        known = ", ".join(self.names()) or "none (Jobs.Modules)"
        return (
            f"no handler is registered for the job type {(name or '')[:128]!r}; known: {known}; "
            "the setting Jobs.Fallback names a handler for all other types"
        )


def _only_prepares(function: object) -> bool:
    """Return whether a call runs nothing of the function, and returns something that would run it."""
    return (
        inspect.iscoroutinefunction(function)
        or inspect.isgeneratorfunction(function)
        or inspect.isasyncgenfunction(function)
    )


def _origin(function: Handler) -> str:
    return f"{function.__module__}.{getattr(function, '__qualname__', type(function).__qualname__)}"


REGISTRY = Registry()
"""The job types of this process."""


def load(modules: Iterable[str], fallback: str = "") -> None:
    """Import modules, which register their handlers.

    ``fallback``: the name of the handler for types without one.  Raises ``ConfigError`` that lists every module that
    fails, and a fallback that no module registers.
    """
    problems: list[str] = []
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - a user's module may raise anything, and the user must be told
            problems.append(
                f"Jobs.Modules: {name} cannot be imported ({type(error).__name__}: {error}); accepted: modules that "
                "Python finds in the working folder, beside app.py or in its environment"
            )
    if fallback and fallback not in REGISTRY.names():
        known = ", ".join(REGISTRY.names()) or "none"
        problems.append(
            f"Jobs.Fallback: no module of Jobs.Modules registers a handler {fallback!r}; accepted: one of those that "
            f"are registered ({known}), or empty for none"
        )
    if problems:
        raise ConfigError(problems)
    REGISTRY.fallback = fallback
