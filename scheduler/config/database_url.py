"""The grammar of ``History.Url``.  Pure: nothing is connected."""

from __future__ import annotations

import re
from typing import Final

ACCEPTED: Final = (
    "auto, off, sqlite:///path/to/file.db, postgresql://user:password@host[:port]/database, "
    "mysql://user:password@host[:port]/database, mongodb://[user:password@]host[:port]/database or mongodb+srv://…; "
    "in user and password the characters / @ ? # are written as %2F %40 %3F %23"
)
AUTO: Final = "auto"
_OFF: Final = ("", "off")
_FILE: Final = re.compile(r"sqlite:///[^\x00-\x1f?#]+")
_USER: Final = r"([^/@:?#]+(:[^/@?#]*)?@)?"
_HOST: Final = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]*)(:[0-9]{1,5})?"
_SERVER: Final = re.compile(
    rf"(?=[!-~]+\Z)(postgresql|mysql|mongodb|mongodb\+srv)://{_USER}{_HOST}(,{_HOST})*/[A-Za-z0-9_.-]{{1,63}}(\?.*)?"
)


def database_url(text: str) -> str:
    """Return the address as it is used: empty for none.  Raises ValueError that repeats no secret."""
    text = text.strip()
    if text.lower() in _OFF:
        return ""
    if text.lower() == AUTO:
        return AUTO
    scheme, separator, rest = text.partition("://")
    address = f"{'postgresql' if scheme.lower() == 'postgres' else scheme.lower()}{separator}{rest}"
    if not (_FILE.fullmatch(address) or _SERVER.fullmatch(address)):
        raise ValueError(f"the address of the database is not understood; accepted are: {ACCEPTED}")
    return address


def masked(url: str) -> str:
    """Return the address without its password and options."""
    return re.sub(r"://([^/:@]*):[^/]*@", r"://\1:***@", url).partition("?")[0]
