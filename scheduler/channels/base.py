"""What a channel is: what its messages bring (``ChannelKind``), and how they leave the service (``Channel``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, Protocol

from pydantic import BaseModel, WithJsonSchema

from scheduler.clock import Clock
from scheduler.config.settings import Settings
from scheduler.logs.sinks import ServiceLog
from scheduler.message import Claim, Message, Outcome
from scheduler.store.destinations import Destinations

if TYPE_CHECKING:
    from scheduler.otel.tracing import Tracing

Json = Annotated[Any, WithJsonSchema({"description": "Any JSON value."})]

Report = Callable[[Sequence[Outcome]], None]
"""Takes outcomes, from any thread, at any time; each claim is reported once."""


class LaneSpec(NamedTuple):
    """What a channel says of one of its lanes."""

    name: str
    """The channel's name, or ``job:<type>``."""
    concurrency: int | None = None
    """Messages that may be in flight at once on a server, each on a thread of its own; None: no bound of its own."""
    most: int | None = None
    """Messages that may be in flight at once on a server where the channel delivers outside of the pool; None: two
    batches, one that runs and one behind it.
    """
    overflow: int = 0
    """Messages that are claimed beyond ``most`` while the lane is stuck: among them are some for destinations that
    answer, and the channel gives the others back.
    """


def cut_short(claim: Claim, duration_ms: float = 0.0, lateness_ms: float = 0.0) -> Outcome:
    """A delivery that had begun when the server stopped, and may have arrived: run again at once, charged, so that the
    repeat carries a higher attempt.  Also after the last attempt: a stop of ours makes no dead letter.
    """
    error = "the server stopped delivering before it ended"
    return Outcome(claim, "retry", duration_ms, lateness_ms, 0, error, cut_short=True)


class Channel(Protocol):
    """Delivers messages of one kind."""

    name: str
    slow: bool
    """Whether ``deliver`` may take long: such channels run on threads of their own (``Jobs.Workers``)."""

    def lanes(self) -> Sequence[LaneSpec]:
        """What is claimed for it separately, with the bounds of each.  Asked once, at the start."""

    def slice_size(self, lane: str) -> int:
        """How many claims of this lane one worker takes at once, now: 1 where each may take long, more where all are
        quick.
        """

    @property
    def failure(self) -> object:
        """Why this process cannot deliver on it any more; None while all is well."""

    def start(self) -> None:
        """Start threads, if there are any.  Called once, by ``Runtime.start()``."""

    def deliver(self, claims: Sequence[Claim], report: Report) -> None:
        """Begin to deliver a slice of a lane's batch (1 to 100 claims) and report each one's outcome, now or later.

        Runs in a worker.  A channel that does its work elsewhere (webhooks: libcurl's own thread) returns at once, so
        that a slow destination holds no worker.  An exception means that every claim not yet reported has failed.
        """

    def stop(self, grace: float) -> None:
        """Finish what is in flight within ``grace`` seconds, stop threads.  The rest is reported: ``cut_short`` what
        had begun, ``release`` what had not.  All channels are stopped at the same time, each in a thread of its own.
        """


class Address(NamedTuple):
    """Where a new message goes, as the store keeps it."""

    target: str | None = None
    type: str | None = None
    lane: str | None = None


class Kept(NamedTuple):
    """What the history keeps of where a message went."""

    target: str | None
    """As it was stored, with secrets masked."""
    destination: str | None = None
    """The host, for lists of what went there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the process that delivers gives its channels."""

    settings: Settings
    clock: Clock
    now_ms: Callable[[], float]
    """Redis's clock."""
    log: ServiceLog
    destinations: Destinations
    """The circuit breakers of webhooks' destinations."""
    print_lines: Callable[[Sequence[str]], int]
    """Prints lines whole and returns how many it could."""
    unread_seconds: Callable[[], float]
    """For how long nobody has read what is printed."""
    holds: Callable[[Claim], bool]
    """Whether this process has the claim's lock, as far as it knows."""
    renew: Callable[[Claim], bool]
    """Pushes the lock's expiry now; False when it was lost, or Redis does not answer."""
    tracing: Tracing | None = None
    """None where traces are not exported."""


class ChannelKind:
    """What the API and the runtime must know of a channel.  The defaults are those of one that takes no options."""

    name: ClassVar[str]
    """Also the field of a message that holds the channel's options."""
    options: ClassVar[type[BaseModel] | None] = None
    """The object in that field."""
    options_text: ClassVar[str] = ""
    """Describes the field in ``/openapi.json``."""
    change_text: ClassVar[str] = ""
    """Describes the field of a PATCH that replaces the options; empty: they cannot be replaced."""
    answer_fields: ClassVar[Mapping[str, Any]] = {}
    """What its messages show beside the fields of every message: name → ``(annotation, FieldInfo)``."""

    def address(self, options: Any, payload: str, settings: Settings) -> Address:
        """Check what a client sent and return the stored form.  Raises ``InvalidInput``, which names the field.

        ``options``: an instance of ``self.options``.  ``payload``: the message, JSON text.
        """
        return Address()

    def replace(self, stored: Message, target: str) -> str:
        """The stored form for a message whose options are replaced by ``target``, which ``address`` made."""
        return target

    def kept(self, target: str | None) -> Kept:
        """What the history keeps of a stored target: its secrets masked."""
        return Kept(target)

    def again(self, old: Message, settings: Settings) -> Address:
        """Return where a message of the history goes when it is sent again.

        Raises ``InvalidInput`` when that cannot be: its secrets are masked, or it is not accepted any more.
        """
        return Address(old.target, old.type)

    def destination(self, target: str | None) -> str | None:
        """Return the name of where a message with these options goes, as a flow key; None: it goes nowhere else."""
        return None

    def check_payload(self, payload: str, field: str) -> None:
        """Raises ``InvalidInput`` that names ``field`` when this channel cannot deliver this JSON text."""

    def shown(self, message: Message) -> dict[str, Any]:
        """The values of ``answer_fields``, secrets masked; ``orjson.dumps`` writes them."""
        return {}

    def build(self, surroundings: Surroundings) -> Channel:
        """The channel of one process that delivers; nothing is started yet."""
        raise NotImplementedError
