"""A channel is a folder and a line in the registry: what the API knows of it follows from these."""

from __future__ import annotations

from pathlib import Path

import pytest

import scheduler.channels
from scheduler.api.http.validate import check_channel
from scheduler.api.v1.answers import MessageOut
from scheduler.api.v1.models import MessageIn, MessagePatch
from scheduler.channels.registry import CHANNELS
from scheduler.errors import InvalidInput
from scheduler.message import Message, Priority, Status


def test_every_folder_is_a_channel_in_the_registry() -> None:
    (room,) = scheduler.channels.__path__
    folders = {path.parent.name for path in Path(room).glob("*/kind.py")}
    assert folders == set(CHANNELS)
    assert folders == {path.parent.name for path in Path(room).glob("*/channel.py")}


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
