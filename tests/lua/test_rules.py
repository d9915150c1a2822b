"""What no script may do, each with the failure that it would permit."""

from __future__ import annotations

import re

import pytest

from scheduler.store.keys import PartitionKeys
from scheduler.store.scripts import LUA, load

FILES = sorted(LUA.glob("*.lua"))
VERBS = [path.stem for path in FILES if not path.stem.startswith("_")]

FORBIDDEN = {
    r"\bKEYS\[": "a position: keys have names, or the header and the body drift apart",
    r"\bARGV\[\d": "a position: arguments have names, or the header and the body drift apart",
    r"call\('(KEYS|SCAN|SORT|SMEMBERS|HSCAN|FLUSHALL|FLUSHDB)'": "looks at the whole keyspace",
    r"call\('TIME'": "a second clock: only _clock.lua reads it, and lets tests set it",
    r"'(ZRANGE|ZREVRANGE)', [\w.]+, (0, -1|'-inf')": "the whole set: Redis stands still for as long as it is large",
    r"'Z(REV)?RANGEBYSCORE'(?!.*'LIMIT')": "a range without a limit: 100,000 due at one instant block it for minutes",
    r"'ZREMRANGEBY": "removes ids whose hashes stay behind",
    r"\bunpack\((?!FIELDS|STATE|OPTIONAL|sets|TEMPLATE|WAITING|hash|changed|DESTINATION|values|emptied|wanted"
    r"|piece|list, first)": "a list of any length: unpack ends at 8,000 values",
    r"\bid\s*<|<\s*\w*id\b": "Lua compares texts by the locale of the server, Redis by bytes",
    r"os\.time|math\.random": "not the clock of Redis; not the same on a replica",
    r"^\s*(?!local |--|function )(?:[a-z_]+)\s*=\s*redis\.call\('(?:HSET|ZADD|ZREM)'": "a result that nobody needs",
    r"\bif #\w+ then\b": "always true in Lua: 0 is true",
}


def code(name: str) -> str:
    """The file without its header, with continued calls on one line and without comments."""
    text = (LUA / f"{name}.lua").read_text()
    text = re.sub(r"\A--\[\[.*?\]\]", "", text, flags=re.DOTALL)
    return re.sub(r",\n\s+", ", ", re.sub(r"--.*", "", text))


@pytest.mark.parametrize("pattern", list(FORBIDDEN), ids=lambda pattern: FORBIDDEN[pattern][:40])
@pytest.mark.parametrize("name", [path.stem for path in FILES])
def test_no_script_does_it(name: str, pattern: str) -> None:
    if name == "_clock" and "TIME" in pattern:
        return
    found = [match[0] for match in re.finditer(pattern, code(name), re.MULTILINE)]
    assert found == [], FORBIDDEN[pattern]


BAD = """
local a = KEYS[1]
local b = ARGV[2]
redis.call('KEYS', '*')
redis.call('TIME')
redis.call('ZRANGE', set, 0, -1)
redis.call('ZRANGEBYSCORE', set, '-inf', now_ms)
redis.call('ZREMRANGEBYSCORE', set, 0, 1)
redis.call('ZREM', set, unpack(taken))
if member < id then end
local now = os.time()
found = redis.call('ZADD', set, 1, a)
if #ids then end
"""


def test_each_pattern_finds_what_it_is_for() -> None:
    assert [pattern for pattern in FORBIDDEN if not re.search(pattern, BAD, re.MULTILINE)] == []


@pytest.mark.parametrize("verb", VERBS)
def test_every_name_of_a_header_is_used_and_every_key_exists(verb: str) -> None:
    script = load(verb)
    # Behind the lines that the loader writes and the header.
    body = re.sub(r"--\[\[.*?\]\]", "", script.source, flags=re.DOTALL).split("\n", 2)[2]
    unused = [name for name in (*script.keys, *script.arguments) if not re.search(rf"\b{name}\b", body)]
    # They come with an include that a script needs for its other half.
    assert [name for name in unused if name not in ("wake_channel", "partition")] == []
    known = PartitionKeys(0).using(set="done", kept="done")
    for name in script.keys:
        if verb != "beat":
            assert known[name].startswith("ms1:{0}:"), "one hash tag, or a cluster refuses the script"


@pytest.mark.parametrize("verb", VERBS)
def test_a_limit_is_an_argument_of_whatever_reads_a_set(verb: str) -> None:
    lines = re.findall(r".*'(?:ZRANGE|ZREVRANGE|ZRANGEBYSCORE|ZPOPMIN)'.*", code(verb))
    several = [
        line for line in lines if not re.search(r"0, 0,|'LIMIT', 0, 1\b|middle, middle|ready, ready|MOST_LANES", line)
    ]
    if several:
        assert {"limit", "scan"} & set(load(verb).arguments), several


def names_in(header: str) -> set[str]:
    return set(" ".join(re.findall(r"^(?:INCLUDES|PARTS) (.*)$", header, re.MULTILINE)).split())


def test_nothing_that_looks_like_a_script_is_left_out() -> None:
    included = set()
    for path in FILES:
        header = path.read_text().split("]]")[0]
        included |= names_in(header)
    assert {f"_{name}" for name in included} == {path.stem for path in FILES} - set(VERBS)
