"""A channel is a folder and a line in the registry: what the API knows of it follows from these."""

from __future__ import annotations

from pathlib import Path

import pytest

import scheduler.channels
from scheduler.api.http.validate import check_channel
from scheduler.api.v1.answers import MessageOut
from scheduler.api.v1.models import MessageIn, MessagePatch
from scheduler.channels.base import Surroundings
from scheduler.channels.registry import CHANNELS
from scheduler.channels.webhook.channel import WebhookChannel
from scheduler.channels.webhook.target import WebhookTarget
from scheduler.config.settings import Settings
from scheduler.errors import InvalidInput
from scheduler.logs.sinks import adapt
from scheduler.message import Claim, Message, Priority, Status
from tests.support.api import memory_store
from tests.support.clock import FakeClock
from tests.support.logger import RecordingLogger


def test_every_folder_is_a_channel_in_the_registry() -> None:
    (room,) = scheduler.channels.__path__
    folders = {path.parent.name for path in Path(room).glob("*/kind.py")}
    assert folders == set(CHANNELS)
    assert folders == {path.parent.name for path in Path(room).glob("*/channel.py")}


@pytest.mark.parametrize(("moved", "seconds"), [(False, 1_000), (True, 2_000)])
def test_endpoints_are_told_the_time_that_they_share_where_tests_move_the_clock(moved: bool, seconds: int) -> None:
    """By next March's timestamp they would refuse every signature, and their dates in Retry-After would be past."""
    surroundings = Surroundings(
        settings=Settings.model_validate({"test": {"clock": moved}}),
        clock=FakeClock(2_000_000),
        now_ms=lambda: 1_000_000.0,
        log=adapt(RecordingLogger()),
        destinations=memory_store(FakeClock(2_000_000)),
        print_lines=len,
        unread_seconds=lambda: 0.0,
        holds=lambda _: True,
        renew=lambda _: True,
    )
    channel = CHANNELS["webhook"].build(surroundings)
    assert isinstance(channel, WebhookChannel)
    claim = Claim("a", "t", 1, 1, "webhook", "1", None, None, None, Priority.NORMAL, 1, 0)
    request = channel._builder.build(claim, channel._builder.prepare(WebhookTarget(url="https://a.example").encode()))
    assert f"webhook-timestamp: {seconds}" in request.headers


@pytest.mark.parametrize("name", CHANNELS)
def test_what_the_api_takes_and_shows_follows_from_the_kind(name: str) -> None:
    kind = CHANNELS[name]
    check_channel(name)
    assert kind.name == name
    assert (name in MessageIn.model_fields) == (kind.options is not None)
    assert (name in MessagePatch.model_fields) == bool(kind.change_text)
    assert kind.answer_fields.keys() <= MessageOut.model_fields.keys()


@pytest.mark.parametrize("name", CHANNELS)
def test_a_message_whose_target_cannot_be_read_is_shown_all_the_same(name: str) -> None:
    message = Message(
        id="a",
        status=Status.DEAD,
        channel=name,
        payload="1",
        due_at=1,
        priority=Priority.NORMAL,
        attempt=1,
        created_at=1,
        updated_at=1,
        target="{",
    )
    assert CHANNELS[name].shown(message).keys() == CHANNELS[name].answer_fields.keys()


def test_another_channel_is_refused_with_the_names_of_those_that_are() -> None:
    with pytest.raises(InvalidInput, match="must be one of: echo, webhook, job"):
        check_channel("pigeon")
