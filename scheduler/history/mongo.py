"""The history in MongoDB."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bson.errors import InvalidDocument
from pymongo import MongoClient, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, DocumentTooLarge, DuplicateKeyError, PyMongoError

from scheduler.errors import HistoryUnavailable
from scheduler.history.database import (
    CALL_SECONDS,
    CONNECT_SECONDS,
    HOUR_MS,
    SCAN,
    HourCount,
    Page,
    Position,
    Query,
    RowRefused,
    on_one_line,
)
from scheduler.history.finished import Finished

_WAIT_MS = CONNECT_SECONDS * 1000
_DUPLICATE = 11_000

Document = dict[str, Any]

_INDEXES: tuple[tuple[str, ...], ...] = (
    ("finished_at", "id"),
    ("due_at", "id", "finished_at"),
    ("status", "finished_at", "id"),
    ("channel", "finished_at", "id"),
    ("finished_at", "hour", "channel", "status", "lateness_bucket"),
    ("type", "finished_at", "id"),
    ("schedule_id", "finished_at", "id"),
    ("flow_key", "finished_at", "id"),
    ("destination", "finished_at", "id"),
    ("id", "finished_at"),
)


class MongoDatabase:
    """See ``scheduler.history.database.Database``.  A row is a document; ``_id`` is its id and its finish."""

    def __init__(self, url: str, *, connections: int = 1, client: MongoClient[Document] | None = None) -> None:
        """``client``: one to use instead of a new one for ``url``."""
        self._client = client or MongoClient(
            url,
            maxPoolSize=connections,
            connectTimeoutMS=_WAIT_MS,
            serverSelectionTimeoutMS=_WAIT_MS,
            socketTimeoutMS=CALL_SECONDS * 1000,
            waitQueueTimeoutMS=_WAIT_MS,
            appname="message-scheduler",
        )
        database = self._client.get_default_database("scheduler")
        # A row leaves Redis when this write is confirmed: one member of a replica set is not enough.
        self._rows: Collection[Document] = database.get_collection("history", write_concern=WriteConcern("majority"))

    def prepare(self) -> None:
        """See ``Database``.  Needs no lock: MongoDB ignores a request for an index that exists."""
        with _translated():
            for columns in _INDEXES:
                self._rows.create_index([(column, 1) for column in columns])

    def write(self, rows: Sequence[Finished]) -> None:
        """See ``Database``.  Not all or none: what was written before an error is the same when it is written again."""
        with _translated():
            documents = [_document(row) for row in rows]
            try:
                self._rows.insert_many(documents, ordered=False)
            except (BulkWriteError, DuplicateKeyError) as error:
                if _only_duplicates(error):
                    # Seldom: an archiver was killed between this write and its report, or two were at work.
                    for document in documents:
                        self._rows.replace_one({"_id": document["_id"]}, document, upsert=True)
                else:
                    raise

    def page(self, query: Query, limit: int, after: Position | None = None) -> Page:
        """See ``Database``."""
        lead, rest = query.filters()
        moment = query.moment
        scanned: Document = {**lead, **_span(query)}
        if after is not None:
            scanned = {"$and": [scanned, _behind(moment, after)]}
        order = {moment: -1, "id": -1, "finished_at": -1}
        others = {**rest, **(_containing(query.text) if query.text else {})}
        first: list[Document] = [{"$match": scanned}, {"$sort": order}]
        chosen: list[Document] = [{"$limit": SCAN}, {"$match": others}] if others else []
        with _translated():
            found = list(self._rows.aggregate([*first, *chosen, {"$limit": limit + 1}]))
            page = Page.cut([_row(document) for document in found], query, limit)
            if page.after is not None:
                return page
            reached = list(self._rows.aggregate([*first, {"$skip": SCAN - 1}, {"$limit": 1}])) if others else []
        end = [Position(one[moment], one["id"], one["finished_at"]) for one in reached]
        return Page(page.rows, end[0] if end else None)

    def one(self, id: str) -> Finished | None:
        """See ``Database``."""
        with _translated():
            found = list(self._rows.find({"id": id}).sort("finished_at", -1).limit(1))
        return _row(found[0]) if found else None

    def summary(self, since: int, until: int, channel: str | None) -> list[HourCount]:
        """See ``Database``."""
        which: Document = {"finished_at": {"$gte": since, "$lt": until}}
        if channel is not None:
            which["channel"] = channel
        key = {"hour": "$hour", "channel": "$channel", "status": "$status", "bucket": "$lateness_bucket"}
        with _translated():
            counted = list(self._rows.aggregate([{"$match": which}, {"$group": {"_id": key, "n": {"$sum": 1}}}]))
        return [
            HourCount(int(k["hour"]), k["channel"], k["status"], k.get("bucket"), int(one["n"]))
            for one in counted
            for k in (one["_id"],)
        ]

    def delete_old(self, before: int, max_rows: int, limit: int) -> int:
        """See ``Database``."""
        with _translated():
            if max_rows:
                beyond = self._rows.find({}, {"finished_at": 1}).sort("finished_at", -1).skip(max_rows).limit(1)
                before = max([before, *(one["finished_at"] + 1 for one in beyond)])
            old = {"finished_at": {"$lt": before}}
            batch = self._rows.find(old, {"_id": 1}).sort("finished_at", 1).limit(limit)
            ids = [one["_id"] for one in batch]
            return self._rows.delete_many({"_id": {"$in": ids}}).deleted_count if ids else 0

    def close(self) -> None:
        """See ``Database``."""
        self._client.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (DocumentTooLarge, InvalidDocument, OverflowError, UnicodeError) as error:
        raise RowRefused(on_one_line(error)) from error
    except PyMongoError as error:
        raise HistoryUnavailable(on_one_line(error)) from error


def _only_duplicates(error: BulkWriteError | DuplicateKeyError) -> bool:
    details = error.details or {}
    faults = details.get("writeErrors", ())
    return not details.get("writeConcernErrors") and all(fault.get("code") == _DUPLICATE for fault in faults)


def _document(row: Finished) -> Document:
    return {"_id": f"{row.id}@{row.finished_at}", "hour": row.finished_at // HOUR_MS, **row._asdict()}


def _row(document: Document) -> Finished:
    values: Document = {name: document.get(name) for name in Finished._fields}
    return Finished(**values)


def _span(query: Query) -> Document:
    bounds = {"$gte": query.since, "$lte": query.until}
    given = {name: value for name, value in bounds.items() if value is not None}
    return {query.moment: given} if given else {}


def _behind(moment: str, after: Position) -> Document:
    """What comes after a position, newest first.  The first bound is what an index begins with."""
    same = {moment: after.moment}
    return {
        moment: {"$lte": after.moment},
        "$or": [
            {moment: {"$lt": after.moment}},
            {**same, "id": {"$lt": after.id}},
            {**same, "id": after.id, "finished_at": {"$lt": after.finished_at}},
        ],
    }


def _containing(text: str) -> Document:
    pattern = {"$regex": re.escape(text), "$options": "i"}
    return {"$or": [{"payload": pattern}, {"last_error": pattern}]}
