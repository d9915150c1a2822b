"""Bugs to sow into the scripts: small changes of their text, each of which breaks a promise."""

from __future__ import annotations

from typing import NamedTuple


class Seed(NamedTuple):
    """``old`` must occur exactly once in what is loaded for ``verb``."""

    name: str
    verb: str
    old: str
    new: str


def apply(seed: Seed, source: str) -> str:
    """The script with the bug.  Raises ``ValueError`` when the script has changed and the bug has to be sown anew."""
    found = source.count(seed.old)
    if found != 1:
        raise ValueError(f"{seed.name}: {seed.old!r} occurs {found} times in {seed.verb}.lua, not once")
    return source.replace(seed.old, seed.new)


_TOKEN = "if token == '' or m[1] ~= token then"
_DONE = "keep(done, 'done_bytes', finished.ack, bytes.ack)"
_RETRY = "now_ms + tonumber(delay_ms), true)\n        retrying"
_REFUSED = "results[#results + 1] = 0"
_REFUSE_ALL = f"for _ = at, #ARGV, STRIDE do {_REFUSED} end break"
_UNLOCK = "in_slices('ZREM', locks, unlocked)"
_RETURN = "parts.lanes.enter(id, lane_of(m[7], m[11], m[12]), m[4], due_at, m[14], true)"
_FREED = "parts.flow_keys.slot_freed(m[13], kind == 'release' and redis.call('HGET', key, 'g'))"
_NOT_YET = "if following > now_ms then\n    return"
_CLEAR = "redis.call('HDEL', key, 's', 'k', 'd')"

TOKEN_CHECK = Seed("settle: no token check", "settle", _TOKEN, "if token == '' then")

SEEDS = (
    TOKEN_CHECK,
    Seed("settle: an empty token is accepted", "settle", _TOKEN, "if m[1] ~= token then"),
    Seed("settle: the lock stays", "settle", _UNLOCK, ""),
    Seed("settle: a finished message keeps its token", "settle", "'f', now_text, 'k', '',", "'f', now_text,"),
    Seed("settle: release charges the attempt", "settle", "'a', attempt - 1,", "'a', attempt,"),
    Seed("settle: retry is due at once", "settle", _RETRY, "now_ms, true)\n        retrying"),
    Seed("settle: bytes of what is done are not counted", "settle", _DONE, _DONE.replace("bytes.ack", "0")),
    Seed("settle: one refusal ends the group", "settle", _REFUSED, _REFUSE_ALL),
    Seed("renew: no token check", "renew", "redis.call('HGET', msg .. id, 'k') == token", "true"),
    Seed("renew: an empty token is accepted", "renew", "if token ~= '' and redis", "if redis"),
    Seed("renew: the expiry is not pushed", "renew", "lock_clock_ms + tonumber(lock_ms)", "now_ms"),
    Seed("claim: the attempt is not raised", "claim", "(tonumber(m[8]) or 0) + 1", "(tonumber(m[8]) or 0)"),
    Seed("claim: left in the due set", "claim", "redis.call('ZREM', set, found[1])", ""),
    Seed("claim: not entered in the locks", "claim", "in_slices('ZADD', locks, locked)", ""),
    Seed("claim: a moment early", "claim", _NOT_YET, _NOT_YET.replace("now_ms", "now_ms + 1000")),
    Seed("claim: one more than the limit", "claim", "math.min(most - taken, left)", "math.min(most - taken, left + 1)"),
    Seed("claim: retried ones are not counted out", "claim", "if attempt > 1 then", "if attempt > 2 then"),
    Seed("reap: not scheduled again", "reap", _RETURN, ""),
    Seed("reap: the token stays", "reap", _CLEAR, _CLEAR.replace(" 'k',", "")),
    Seed("reap: the lock stays", "reap", _UNLOCK.replace("unlocked", "expired"), ""),
    Seed("reap: a moment early", "reap", "locks, '-inf', lock_clock_ms,", "locks, '-inf', now_ms + 1000,"),
    Seed("reap: an expired lock is never found", "reap", "locks, '-inf', lock_clock_ms,", "locks, '-inf', 0,"),
    Seed("reap: one attempt more than allowed", "reap", "attempt >= allowed)", "attempt > allowed)"),
    Seed("reap: carried out however late", "reap", "if not_after ~= '' and now_ms", "if false and now_ms"),
    Seed("cancel: left in the due set", "cancel", "parts.lanes.leave(id, lane, m[3], m[10])", ""),
    Seed("settle: a slot of a flow key is not freed", "settle", _FREED, ""),
    Seed("settle: a slot that is freed lets nobody go", "settle", "if was_closed then", "if false then"),
    Seed("reap: a slot of a flow key is not freed", "reap", "parts.flow_keys.slot_freed(m[14])", ""),
    Seed(
        "claim: one more than a flow key allows",
        "claim",
        "most and most - s.flight",
        "most and most + 1 - s.flight",
    ),
    Seed("cancel: takes what is in flight", "cancel", "if m[2] then", "if m[2] and m[2] ~= 'processing' then"),
    Seed("update: touches what is in flight", "update", "if m[2] then", "if m[2] and m[2] ~= 'processing' then"),
    Seed("redrive: left among the dead letters", "redrive", "redis.call('ZREM', dead, one)", ""),
    Seed("redrive: the attempts go on counting", "redrive", "'s', 'a', 'l',", "'s', 'l',"),
)
"""A list to extend: ``make explore`` must find each."""
