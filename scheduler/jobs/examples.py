"""Two handlers to use as they are, or to copy from (docs/jobs.md)."""

from __future__ import annotations

import os
import smtplib
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote, urlsplit

from scheduler.clock import SystemClock
from scheduler.jobs import Dead, JobContext, Retry, handler

_FIELDS = {"to", "subject", "text", "html", "from", "reply_to"}
_SOCKET_SECONDS = 20.0
_GREYLISTED_SECONDS = 300.0
_SLICE_SECONDS = 0.1


@handler("send_email", time_limit=120)
def send_email(payload: Any, context: JobContext) -> Any:
    """Send ``{"to": "a@b.c" or [...], "subject": str, "text": str, "html"?: str, "from"?: str, "reply_to"?: str}``.

    The environment names the server: ``SMTP_URL`` = ``smtp://user:password@host:587`` (with STARTTLS if the server
    offers it) or ``smtps://…``, and the sender: ``MAIL_FROM``.  Returns ``{"message_id", "refused"}``; ``refused``
    lists the recipients that the server did not accept.  The Message-ID is made from the job's id, so that mail
    programs recognise the mail of a repeated job as a duplicate.
    """
    mail = _mail_of(payload, context.id)
    url = urlsplit(os.environ.get("SMTP_URL", ""))
    if url.scheme not in ("smtp", "smtps") or not url.hostname:
        raise Dead("the environment variable SMTP_URL must name a mail server: smtp://user:password@host:587")
    try:
        with _connected(url.scheme, url.hostname, url.port) as server:
            if url.username:
                server.login(unquote(url.username), unquote(url.password or ""))
            if not context.renewed():
                raise Retry("the lock was lost before the mail was sent")
            refused = server.send_message(mail)
    except smtplib.SMTPRecipientsRefused as error:
        _judge(error.recipients)
        raise
    except smtplib.SMTPResponseException as error:
        _judge({"": (error.smtp_code, error.smtp_error)})
        raise
    return {"message_id": mail["Message-ID"], "refused": sorted(refused)}


def _mail_of(payload: Any, id: str) -> EmailMessage:
    """Make the mail.  Raises ``Dead`` for an invalid payload, because trying again cannot help."""
    if not isinstance(payload, dict) or not payload.keys() <= _FIELDS:
        raise Dead(f"the payload must be an object with no fields but {', '.join(sorted(_FIELDS))}")
    to = payload.get("to")
    recipients = [to] if isinstance(to, str) else to
    sender = payload.get("from") or os.environ.get("MAIL_FROM")
    if not recipients or not isinstance(recipients, list) or not all(isinstance(one, str) for one in recipients):
        raise Dead("to must be an address, or a list of them")
    if not all(isinstance(payload.get(name), str) for name in ("subject", "text")):
        raise Dead("subject and text must be strings")
    if not isinstance(sender, str):
        raise Dead("from, or the environment variable MAIL_FROM, must be the sender's address")
    mail = EmailMessage()
    try:
        mail["From"], mail["To"], mail["Subject"] = sender, ", ".join(recipients), payload["subject"]
        mail["Date"] = formatdate()
        mail["Message-ID"] = f"<{id}@{sender.rpartition('@')[2].rstrip('>') or 'localhost'}>"
        if payload.get("reply_to"):
            mail["Reply-To"] = payload["reply_to"]
        mail.set_content(payload["text"])
        if payload.get("html"):
            mail.add_alternative(payload["html"], subtype="html")
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise Dead(f"the payload makes no mail: {error}") from None
    return mail


@contextmanager
def _connected(scheme: str, host: str, port: int | None) -> Iterator[smtplib.SMTP]:
    tls = ssl.create_default_context()
    if scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port or 465, timeout=_SOCKET_SECONDS, context=tls)
    else:
        server = smtplib.SMTP(host, port or 587, timeout=_SOCKET_SECONDS)
    try:
        server.ehlo_or_helo_if_needed()
        if scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=tls)
        yield server
        # The server has accepted the mail; an error of QUIT must not send it again.
        with suppress(smtplib.SMTPException, OSError):
            server.quit()
    finally:
        server.close()


def _judge(answers: Mapping[str, tuple[int, bytes | str]]) -> None:
    """Raise ``Dead`` when every answer is final (5xx), ``Retry`` when one asks to try later (4xx)."""
    text = "; ".join(f"{who} {code} {_text(words)}".strip() for who, (code, words) in answers.items())
    if all(500 <= code < 600 for code, _ in answers.values()):
        raise Dead(f"the mail server refused: {text}")
    if any(400 <= code < 500 for code, _ in answers.values()):
        raise Retry(f"the mail server says later: {text}", after=_GREYLISTED_SECONDS)


def _text(words: bytes | str) -> str:
    return words.decode(errors="replace") if isinstance(words, bytes) else words


@handler("wait", time_limit=3600)
def wait(payload: Any, context: JobContext) -> Any:
    """Wait ``{"seconds": number}`` and return how long it took; for trying out long jobs, renewal and stopping.

    It shows how a long handler stops early: it checks ``context.cancelled()`` between its steps.
    """
    seconds = payload.get("seconds") if isinstance(payload, dict) else None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= 3600:
        raise Dead('the payload must be {"seconds": a number from 0 to 3600}')
    clock, never = SystemClock(), threading.Event()
    begun = clock.monotonic()
    while (left := seconds - (clock.monotonic() - begun)) > 0:
        if context.cancelled():
            raise Retry(f"stopped with {left:.1f} s left")
        clock.wait(never, min(left, _SLICE_SECONDS))
    return {"waited": round(clock.monotonic() - begun, 3)}
