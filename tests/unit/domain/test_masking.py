"""Nothing that is shown can forge a line, drive a terminal or give a secret away."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.masking import Masker, escape, mask


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("schön 日本語 🎉 non-breaking\u00a0space", "schön 日本語 🎉 non-breaking\u00a0space"),
        ("a\nb\r\nc\td", "a\\nb\\r\\nc\\td"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x00\x07\x08\x7f\x85\x9b", "\\x00\\x07\\x08\\x7f\\x85\\x9b"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("\ud800", "\\ud800"),
    ],
)
def test_escape(text: str, shown: str) -> None:
    assert escape(text) == shown


@given(st.text(alphabet=st.characters()))
def test_escaped_text_is_one_line_of_utf_8_without_controls(text: str) -> None:
    shown = escape(text)
    shown.encode()
    assert len(shown.splitlines()) <= 1
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert escape(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nothing to hide: 09:00, a@b.c, http://host/path?x=1", None),
        ("Authorization: Bearer abc.def-ghi, then", "Authorization: ***, then"),
        ("Authorization: abc", "Authorization: ***"),
        ("{'authorization': 'Basic dTpw', 'x': 1}", "{'authorization': '***', 'x': 1}"),
        ('{"Proxy-Authorization": "token"}', '{"Proxy-Authorization": "***"}'),
        (r'"{\"Authorization\": \"Bearer tok\"}"', r'"{\"Authorization\": \"***\"}"'),
        ("signed with whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD=", "signed with whsec_***"),
        ("redis://user:secret@host:6379/0", "redis://user:***@host:6379/0"),
        ("rediss://:p@ss:w0rd@host", "rediss://:***@host"),
        ("unix:///run/redis.sock?db=1&password=secret&x=2", "unix:///run/redis.sock?db=1&password=***&x=2"),
        ("https://a:b@one/ and https://c:d@two/", "https://a:***@one/ and https://c:***@two/"),
    ],
)
def test_mask(text: str, shown: str | None) -> None:
    assert mask(text) == (text if shown is None else shown)


def test_known_secrets_are_masked_wherever_they_stand() -> None:
    masker = Masker(["hunter2", "hunter2-and-more", "line\nbreak", "abc", ""])
    assert masker("token hunter2, hunter2-and-more, line\\nbreak, abc") == "token ***, ***, ***, abc"
    assert masker("Authorization: other") == "Authorization: ***"


@given(st.text(min_size=4), st.text(), st.text())
def test_no_known_secret_survives(secret: str, before: str, after: str) -> None:
    shown = Masker([secret])(before + secret + after)
    assert shown.count(secret) <= (before + "***" + after).count(secret)
