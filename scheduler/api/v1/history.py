"""``/v1/history``: finished messages from the database, after Redis has deleted them."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from itertools import chain

from flask import Blueprint, Response, request

from scheduler.api.http import idempotency
from scheduler.api.http.exchange import Answer, Exchange, json_answer
from scheduler.api.http.openapi import operation
from scheduler.api.http.respond import ApiResponse, answer
from scheduler.api.http.services import Services, services
from scheduler.api.http.threads import answered
from scheduler.api.http.validate import check_channel, validate_query
from scheduler.api.v1.again import send_again
from scheduler.api.v1.answers import MessageDetail, MessageOut, PageOut
from scheduler.api.v1.convert import finished_answer, message_answer
from scheduler.api.v1.history_export import CSV, NDJSON, stream
from scheduler.api.v1.history_models import (
    DEFAULT_PAGE,
    EXPORT_PAGE,
    MAX_HISTORY_PAGE,
    HistoryQuery,
    SummaryOut,
    SummaryQuery,
)
from scheduler.api.v1.messages import checked_id
from scheduler.errors import InvalidInput, NotFound
from scheduler.history import Database, Finished, Query
from scheduler.history.database import HOUR_MS, Position, every_page
from scheduler.history.summary import HOURS_OF, slots
from scheduler.when import format_ms

blueprint = Blueprint("history", __name__, url_prefix="/v1/history")

_OFF = "there is no history: History.Url names no database"
_LONGEST_HOURS = {"hour": 31 * 24, "day": 366 * 24}
_DEFAULT_HOURS = {"hour": 48, "day": 30 * 24}


def _database(here: Services) -> Database:
    if here.history is None:
        raise NotFound(_OFF)
    return here.history


@blueprint.get("")
@operation(
    "List finished messages",
    tag="history",
    query=HistoryQuery,
    answer=PageOut,
    errors=(400, 404),
    streams=(CSV, NDJSON),
)
def list_history() -> Response:
    """A page of finished messages, newest first; all of them as CSV or NDJSON, by Accept."""
    here = services()
    database = _database(here)
    given = validate_query(HistoryQuery, request.args)
    check_channel(given.channel)
    query = Query(
        status=given.status,
        channel=given.channel,
        type=given.type,
        schedule_id=given.schedule,
        flow_key=given.flow_key,
        destination=given.destination,
        text=given.text,
        by=given.by,
        since=given.since,
        until=given.until,
    )
    after = Position.decode(given.cursor, given.by) if given.cursor else None
    kind = request.accept_mimetypes.best_match(["application/json", CSV, NDJSON], "application/json")
    if kind != "application/json":
        return _export(kind, every_page(database, query, EXPORT_PAGE, after), given.limit)
    limit = given.limit or DEFAULT_PAGE
    if limit > MAX_HISTORY_PAGE:
        raise InvalidInput.of("limit", f"must be 1 to {MAX_HISTORY_PAGE} for a page; CSV and NDJSON take any")
    page = database.page(query, limit, after)
    shown = [finished_answer(row, here.settings) for row in page.rows]
    return answer({"messages": shown, "next_cursor": page.after.encode(query.by) if page.after else None})


def _export(kind: str, pages: Iterator[list[Finished]], limit: int | None) -> Response:
    # The first page is read before the answer begins: a database that is away is a 503, and no answer that is cut off.
    first = next(pages)
    body = stream(kind, chain([first], pages), limit, services().settings)
    ending = "csv" if kind == CSV else "ndjson"
    headers = {"Content-Disposition": f'attachment; filename="history.{ending}"', "Vary": "Accept"}
    return ApiResponse(body, headers=headers, content_type=f"{kind}; charset=utf-8")


@blueprint.get("/summary")
@operation("Sum up what ended, for charts", tag="history", query=SummaryQuery, answer=SummaryOut, errors=(400, 404))
def summary() -> Response:
    """Counts, failure rate and lateness by hour or day and by channel."""
    here = services()
    database = _database(here)
    given = validate_query(SummaryQuery, request.args)
    check_channel(given.channel)
    slot_ms = HOURS_OF[given.by] * HOUR_MS
    until = given.until if given.until is not None else here.now_ms()
    since = given.since if given.since is not None else until - _DEFAULT_HOURS[given.by] * HOUR_MS
    since -= since % slot_ms
    if not 0 <= until - since <= _LONGEST_HOURS[given.by] * HOUR_MS + slot_ms:
        longest = f"{_LONGEST_HOURS[given.by] // 24} days by {given.by}"
        raise InvalidInput.of("since", f"must not be after until, and at most {longest} before it")
    counted = database.summary(since, until + 1, given.channel)
    shown = slots(counted, given.by)
    return answer({"by": given.by, "since": format_ms(since), "until": format_ms(until), "slots": shown})


@blueprint.get("/<id>")
@operation("Read the last finish of a message", tag="history", answer=MessageDetail, errors=(404,))
def read(id: str) -> Response:
    """One message with its attempts."""
    here = services()
    return answer(finished_answer(_found(_database(here), checked_id(id)), here.settings, attempts=True))


def _found(database: Database, id: str) -> Finished:
    row = database.one(id)
    if row is None:
        raise NotFound(f"The history has no message {id!r}; it did not end, or its retention has ended.")
    return row


@blueprint.post("/<id>/redrive")
@operation(
    "Schedule a finished message again, as a new one",
    tag="history",
    answer=MessageOut,
    status=201,
    errors=(400, 404, 409),
    idempotent=True,
)
def redrive(id: str) -> Response:
    """Send what was sent before, now; the new message names the old one."""
    return answered(lambda x: _redrive(x, checked_id(id)))


async def _redrive(x: Exchange, id: str) -> Answer:
    here = x.here
    database = _database(here)
    once = idempotency.of_request(x, None)
    message = await send_again(x, await x.waits.call(lambda: _found(database, id)), once)
    return json_answer(
        message_answer(message, here.settings),
        HTTPStatus.CREATED,
        {"Location": here.address(f"/v1/messages/{message.id}")},
    )
