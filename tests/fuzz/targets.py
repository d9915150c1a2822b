"""What is fuzzed: a Hypothesis test per parser, run with a few inputs by ``make test`` and with many by ``make fuzz``.

Each holds the same promise: a value, or the error that is documented, which names what was wrong and what is accepted
and fits on a line; and what was accepted comes back unchanged when it is written and read again.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from lupa import lua51

from scheduler import when
from scheduler.api.http import body
from scheduler.config.connection_string import ACCEPTED, parse
from scheduler.config.reading import Settings, load_settings
from scheduler.config.settings import every_setting
from scheduler.errors import ConfigError, InvalidInput
from scheduler.masking import escape
from scheduler.recurrence import Recurrence
from scheduler.store import scripts

NOW = 1_800_000_000_000
LONGEST_ERROR = 1000
PLANTED = "Geheimnis"
"""Part of every secret here, and of nothing else."""

_folder = tempfile.TemporaryDirectory(prefix="ms-fuzz-")
FOLDER = Path(_folder.name)


def mixed(*parts: str, alphabet: str, most: int = 8) -> st.SearchStrategy[str]:
    """Texts of these parts, and of single characters, in any order: most are nearly right."""
    return st.lists(st.sampled_from([*parts, *alphabet]) | st.characters(), max_size=most).map("".join)


# ------------------------------------------------------------------------------------------------------ time and delay

NUMBERS = st.integers() | st.floats() | st.booleans() | st.none()
ZONES = st.none() | st.timezone_keys() | mixed("Europe/Berlin", "UTC", "../", "etc", alphabet="/+-_01Z")
TIMES = mixed(
    "2027-01-01", "T09:00:00", "24:00", ".5", "+01:00", "Z", "-W53", "Fri, ", "01 Jan 2027", " 09:00:00", " GMT", "(x)",
    "0001-01-01", "9999-12-31", "23:59:59.9999", alphabet="0123456789-+:.,TZW ",
)  # fmt: skip
DELAYS = mixed("1d", "2h", "30m", "45s", "1ms", "P1D", "PT5M", "1.5", "W", "Y", "T", alphabet="0123456789.,-PTwdhms ")


def refused(error: InvalidInput, fields: set[str]) -> None:
    assert {one.field for one in error.errors} <= fields
    assert all("accepted" in one.message or "beyond" in one.message or "each unit" in one.message
               or "decimals" in one.message for one in error.errors)  # fmt: skip
    assert str(error).isascii()
    assert str(error).isprintable()
    assert len(str(error)) < LONGEST_ERROR


@given(TIMES | NUMBERS, ZONES)
def time(value: object, zone: object) -> None:
    try:
        moment = when.parse_when(value, None, zone, NOW)
    except InvalidInput as error:
        refused(error, {"time", "timezone"})
        return
    assert 0 <= moment <= when.MAX_MS
    assert when.parse_time(when.format_ms(moment)) == moment
    if isinstance(value, str):
        assert when.parse_when(f" {value}\n", None, zone, NOW) == moment


@given(DELAYS | NUMBERS)
def delay(value: object) -> None:
    if value is None:
        return
    try:
        milliseconds = when.parse_delay(value)
    except InvalidInput as error:
        refused(error, {"delay"})
        return
    assert milliseconds >= 0
    seconds, rest = divmod(milliseconds, 1000)
    if milliseconds < 10**18:
        assert when.parse_delay(f"{milliseconds}ms") == milliseconds
        assert when.parse_delay(f"PT{seconds}.{rest:03}S") == milliseconds
    if isinstance(value, str):
        assert when.parse_delay(value.swapcase()) == milliseconds


CRONS = mixed(
    *(
        "*",
        "*/5",
        "1-5",
        "22-2/3",
        "L",
        "L-3",
        "15W",
        "LW",
        "5L",
        "5#2",
        "MON",
        "JAN-MAR",
        "@daily",
        "CRON_TZ=UTC",
        " ",
    ),
    alphabet="0123456789 ,-/*#LW@",
    most=14,
)


@given(CRONS | st.lists(CRONS, min_size=5, max_size=6).map(" ".join), st.integers(min_value=0, max_value=when.MAX_MS))
def cron(text: str, moment: int) -> None:
    try:
        plan = Recurrence.of(now_ms=0, cron=text, timezone="UTC")
    except InvalidInput as error:
        refused(error, {"cron", "timezone"})
        return
    assert Recurrence.decode(plan.encode()) == plan
    following = plan.next_after(moment)
    if following is not None:
        assert following > moment
        assert plan.latest_at(following) == following
        assert plan.count(moment, following) == 1


# ------------------------------------------------------------------------------------------------------------ settings

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = [setting.key.partition(".")[2] for setting in every_setting()]
SECTIONS = sorted({setting.key.partition(".")[0] for setting in every_setting()})
SECTION = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), JSON, max_size=4)
FILES = (
    st.dictionaries(st.sampled_from(SECTIONS) | st.text(max_size=5), SECTION | JSON, max_size=3)
    .map(json.dumps)
    .map(str.encode)
    | mixed('{"Api":', '{"Retry":', '{"Factor":', "}", "[", "NaN", "1e999", '"\\ud800"', alphabet='{}[]",:0\\').map(
        lambda text: text.encode("utf-8", "surrogatepass")
    )
    | st.binary(max_size=20)
)
VARIABLES = [setting.variable for setting in every_setting()] + ["PORT", "REDIS_URL", "API_AUTH", "RETRIES"]
ENVIRONMENTS = st.dictionaries(
    st.sampled_from(VARIABLES) | mixed("API__", "SERVER__", "PORT", alphabet="_"),
    st.text(max_size=12) | st.integers().map(str) | st.floats().map(str),
    max_size=3,
)


@given(FILES, ENVIRONMENTS)
def settings(content: bytes, environment: dict[str, str]) -> None:
    file = FOLDER / "appsettings.json"
    file.write_bytes(content)
    secret = {"API_AUTH": f"{PLANTED} with a space", "WEBHOOK__SECRETS": f"whsec_{PLANTED}"}
    try:
        loaded = load_settings(file, environment)
    except ConfigError as error:
        problems = error.problems
    else:
        problems = []
        written = json.loads(loaded.model_dump_json(by_alias=True))
        file.write_text(json.dumps(written))
        assert load_settings(file, {}) == loaded
        assert Settings.model_validate_json(loaded.model_dump_json()) == loaded
    try:
        load_settings(file, environment | secret)
        raise AssertionError("a secret that cannot be one was accepted")
    except ConfigError as error:
        problems = [*problems, *error.problems]
    for line in problems:
        assert ": " in line
        assert escape(line) == line, "it forges lines"
        assert PLANTED not in line


# ------------------------------------------------------------------------------------------------------------- scripts

HEADERS = mixed(
    "--[[\n", "verb: does something.\n", "KEYS     due_high locks\n", "ARGV     now limit items...\n", "ARGV now\n",
    "INCLUDES clock\n", "RETURNS  x\n", "CODES    0\n", "COST     1\n", "]]\n", "return 1\n", "KEYS end now\n", "...",
    alphabet="\n []-_",
    most=14,
)  # fmt: skip
ORDERED = st.lists(st.sampled_from(["due_high", "now", "limit", "items...", "end", "x", "KEYS[1]", "Ä"]), max_size=4)
WHOLE = st.builds(
    "--[[\nverb: does it.\nKEYS {}\nARGV {}\nINCLUDES {}\nRETURNS x\nCODES 0\nCOST 1\n]]\nreturn 1\n".format,
    *[names.map(" ".join) for names in (ORDERED, ORDERED, st.lists(st.sampled_from(["clock", "../x"]), max_size=2))],
)
SCRIPTS = (HEADERS | WHOLE).map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=20)
LUA: Any = lua51.LuaRuntime()  # Redis's version, and fakeredis's: a process that loads two crashes


@given(SCRIPTS)
def script(content: bytes) -> None:
    file = FOLDER / "verb.lua"
    file.write_bytes(content)
    (FOLDER / "_clock.lua").write_text("local now_ms = 1\n")
    try:
        found = scripts.parse(file)
    except scripts.ScriptError as error:
        assert str(error).startswith("verb.lua: ")  # noqa: PT017 - most inputs raise nothing
        return
    text = file.read_text("utf-8")
    before, whole, after = found.source.partition(text)
    assert whole
    # What the loader wrote around it is Lua, whatever the body is.
    LUA.compile(before + after)


# ------------------------------------------------------------------------------------------------- connection strings

CONNECTIONS = mixed(
    "redis://", "rediss://", "unix://", "sentinel://", "cluster://", "embedded", "localhost", ":6379", "/0", "/service",
    "?db=1", "?ssl_cert_reqs=none", "[::1]", "me:", "@", ",", "%2F", alphabet=":/@?#[]%,.0",
)  # fmt: skip
SPECIAL = st.text(st.sampled_from("/?#@:[]% \u2100\0") | st.characters(), max_size=4)


@given(CONNECTIONS)
def connection(text: str) -> None:
    try:
        target = parse(text)
    except ConfigError as error:
        (line,) = error.problems
        assert line.startswith("Redis.ConnectionString (env REDIS_URL): ")
        assert ACCEPTED in line
        assert line.isprintable()
        return
    assert str(target).isprintable() or target.kind == "unix"
    if target.kind != "unix" and target.password is None and target.username is None and not target.options:
        assert parse(str(target)) == target


@given(
    st.sampled_from(
        ["redis://me:{}@h:1/0", "rediss://:{}@h", "unix://:{}@/x", "sentinel://m:{}@h/s", "cluster://:{}@h"]
    ),
    SPECIAL,
    SPECIAL,
)
def password(form: str, before: str, after: str) -> None:
    try:
        target = parse(form.format(f"{before}{PLANTED}{after}"))
        shown = f"{target} {target!r}"
    except ConfigError as error:
        shown = str(error)
    assert PLANTED not in shown


# --------------------------------------------------------------------------------------------------- bodies of requests

BODIES = (
    JSON.map(json.dumps).map(str.encode)
    | mixed("[", "]", '{"a":', "}", "1e400", "NaN", "-Infinity", '"\\ud800"', "12345678901234567890", "1.0",
            '"\\u0000"', alphabet='[]{}",:\\0 ', most=12).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.builds(lambda part, times: part * times, st.sampled_from([b"[", b'{"a":', b"9", b"-", b"\xff"]),
                st.integers(0, 100_000))
)  # fmt: skip


@given(BODIES)
def request_body(raw: bytes) -> None:
    try:
        value = body.parse_json(raw)
        text = body.to_json(value)
    except InvalidInput as error:
        assert len(str(error)) < LONGEST_ERROR  # noqa: PT017 - most inputs raise nothing
        return
    again = body.parse_json(text)
    assert again == value
    assert type(again) is type(value)
    if isinstance(value, float):
        assert math.isfinite(value)
    text.decode()


class Target(NamedTuple):
    """One row of the table."""

    what: str
    test: Any
    """A Hypothesis test."""
    arguments: Callable[[bytes], tuple[object, ...]] | None = None
    """The test's arguments from bytes, for a fuzzer that is led by coverage; None where drawing them does better."""
    seeds: tuple[str, ...] = ()
    """Inputs that such a fuzzer starts from."""


def text_of(data: bytes) -> tuple[str]:
    return (data.decode("utf-8", "replace"),)


def two_texts_of(data: bytes) -> tuple[str, str | None]:
    first, found, second = data.decode("utf-8", "replace").partition("|")
    return first, second if found else None


TARGETS = {
    "time": Target("`time` and `timezone`", time, two_texts_of, (
        "2027-01-01T09:00:00.5+01:00", "2026-W53-5T24:00", "Fri, 01 Jan 2027 09:00:00 GMT", "1798794000.5",
        "9999-12-31T23:59:59|Pacific/Apia", "2027-03-28 02:30|Europe/Berlin",
    )),
    "delay": Target("`delay`", delay, text_of, ("1d2h30m45s250ms", "P1DT2H3M4.5S", "P2W", "90.5", "P1Y")),
    "cron": Target("`cron`", cron),
    "settings": Target("settings: file and environment", settings),
    "script": Target("headers of the Lua scripts", script, lambda data: (data,), (
        "--[[\nverb: x\nKEYS a b\nARGV c d...\nINCLUDES clock\nRETURNS x\nCODES 0\nCOST 1\n]]\nreturn 1\n",
    )),
    "connection": Target("connection strings", connection, text_of, (
        "redis://me:p%40@h:1/2", "rediss://[::1]?ssl_cert_reqs=none", "unix://:x@/run/r.sock?db=1",
        "sentinel://u:p@a:1,[::2]:3/name/4", "cluster://a:1,b", "localhost:6379",
    )),
    "password": Target("passwords in connection strings", password),
    "body": Target("JSON bodies", request_body, lambda data: (data,), (
        '{"message": [1, 2.5e3, "a\\u00e4\\ud83d\\ude00", null, true], "x": 12345678901234567890}', "[[[[1e308]]]]",
        '"\\ud800"',
    )),
}  # fmt: skip
