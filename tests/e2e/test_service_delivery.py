"""The service as its users run it: what is accepted is printed at its moment, once, whatever is stopped or killed."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from scheduler.message import NOW, NewMessage
from scheduler.when import parse_time
from tests.support.programs import need
from tests.support.service import Service, add, attempts, printed
from tests.support.waiting import wait_for

GENEROUS_MS = 5_000
"""How late a lone line may be on a machine that does other things too; the benchmarks measure the real figure."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One server for the tests that leave it running."""
    with Service(tmp_path_factory.mktemp("service")) as service:
        yield service


# -- a server that runs ------------------------------------------------------------------------------------------------


def test_the_example_that_it_prints_at_its_start_works(service: Service) -> None:
    """The reader copies the line that the service shows, and sees the message on the console in its second."""
    need("curl")
    example = service.stderr.wait_for("Try:").text.partition("Try:")[2].strip()
    command = re.sub(r'"delay": 5\b', '"delay": 1', example)
    assert command != example
    answer = subprocess.run(command, shell=True, capture_output=True, check=True, timeout=20)
    due_ms = parse_time(re.search(rb'"due_at":"([^"]+)"', answer.stdout)[1].decode())  # type: ignore[index]
    line = service.stdout.wait_for(" | hello")
    stamp = parse_time(line.text.partition(" | ")[0])
    assert due_ms <= stamp <= line.at_ms <= due_ms + GENEROUS_MS


def test_no_line_is_ever_printed_before_its_moment(service: Service) -> None:
    answer = service.post("/v1/messages", {"message": "now"})
    start = answer.json()["due_at_ms"] + 400
    service.schedule([{"message": f"tick {n}", "time": start + 7 * n} for n in range(100)])
    service.stdout.wait_for("tick 99")
    lines = [line for line in service.stdout.lines if "tick" in line.text]
    assert len(lines) == 100
    for line in lines:
        due = start + 7 * int(line.text.rpartition(" ")[2])
        assert due <= parse_time(line.text.partition(" | ")[0]) <= line.at_ms


def test_the_log_holds_one_line_per_attempt(service: Service) -> None:
    ids = service.schedule([{"message": f"logged {n}"} for n in range(50)])
    wait_for("logged", lambda: set(ids) <= set(attempts(service.log())))
    logged = attempts(service.log())
    assert {tuple(logged[id]) for id in ids} == {(1,)}
    [line] = [line for line in service.log() if f"id={ids[0]} " in line]
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d INFO +ack id=\S+ channel=echo attempt=1 "
        r"lateness_ms=\d+\.\d duration_ms=\d+\.\d message=logged 0",
        line,
    )
    # A file begins with its first entry, and nothing has gone wrong.
    assert {file.name for file in service.logs.glob("*.log")} <= {"scheduler.log", "api.log"}


def test_the_private_redis_killed_is_started_again_and_nothing_accepted_is_lost(service: Service) -> None:
    redis_server = service.private_redis()
    ids = service.schedule([{"message": f"survives {n}", "delay": 1} for n in range(500)])
    redis_server.kill()
    service.stdout.wait("all printed", lambda lines: sum("survives" in line.text for line in lines) >= 500, 30)
    lines = [text for text in printed(service.stdout.texts()) if "survives" in text]
    assert Counter(lines) == Counter(f"survives {n}" for n in range(500))
    assert service.stderr.wait_for("redis-server ended with code -9")
    wait_for("healthy again", lambda: service.get("/health").status == 200)
    wait_for("recorded", lambda: service.get(f"/v1/messages/{ids[-1]}").json()["status"] == "delivered")


def test_health_says_so_while_redis_is_away_and_when_it_is_back(service: Service) -> None:
    redis_server = service.private_redis()
    redis_server.suspend()
    try:
        answer = wait_for("ill", lambda: a if (a := service.get("/health")).status == 503 else None, 30)
        assert answer.json()["status"] == "error"
        assert "retry-after" in answer.headers
    finally:
        redis_server.resume()
    wait_for("well", lambda: service.get("/health").status == 200)
    service.post("/v1/messages", {"message": "after the pause"})
    service.stdout.wait_for("after the pause")


def test_a_second_service_in_the_folder_says_so_and_ends(service: Service) -> None:
    second = Service(service.data.parent, env={"LOGS__DIRECTORY": str(service.logs)}).launch()
    assert second.wait() == 1
    assert re.search(rf"Another service \(process {service.pid}\) already runs in .*/data", second.stderr.texts()[-1])
    assert service.get("/health").status == 200


# -- stop and start again ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_in_the_middle_loses_nothing_and_repeats_nothing(short_tmp: Path, number: int) -> None:
    """2,000 messages, due over two seconds; the signal comes while they are printed."""
    with Service(short_tmp, role="worker") as service:
        with service.store() as store:
            start = store.own_ms() + 300
            add(store, [(f"m{n}", start + n) for n in range(2_000)])
        service.stdout.wait_for_count(200)
        assert service.stop(number) == 0
        assert len(service.stdout.lines) < 2_000, "too quick to be stopped in the middle"
        assert service.stderr.lines[-1].text.endswith("Stopped.")
        assert service.log("scheduler.error.log") == []
        service.start()
        service.stdout.wait_for_count(2_000)
        assert service.stop() == 0
    assert Counter(printed(service.stdout.texts())) == Counter(f"m{n}" for n in range(2_000))


def test_what_is_accepted_while_it_stops_is_printed_by_this_run_or_the_next(short_tmp: Path) -> None:
    with Service(short_tmp) as service:
        accepted: list[str] = []

        def post_until_nobody_answers() -> None:
            answered = 201
            while answered == 201:
                text = f"m{len(accepted)}"
                answered = service.post("/v1/messages", {"message": text}).status
                if answered == 201:
                    accepted.append(text)

        posting = threading.Thread(target=post_until_nobody_answers)
        posting.start()
        service.stdout.wait_for_count(20)
        assert service.stop() == 0
        posting.join(30)
        assert not posting.is_alive()
    with Service(short_tmp, role="worker") as again:
        with again.store() as store:
            wait_for("all recorded", lambda: store.counts().finished >= len(accepted))
        assert again.stop() == 0
    texts = Counter(printed([*service.stdout.texts(), *again.stdout.texts()]))
    # The last request may have been stored without its answer getting through.
    assert set(accepted) <= set(texts) <= {*accepted, f"m{len(accepted)}"}
    assert set(texts.values()) == {1}


def test_a_kill_in_the_middle_of_a_drain_loses_nothing_and_repeats_only_what_was_in_flight(short_tmp: Path) -> None:
    env = {"SCHEDULER__LOCKSECONDS": "1.5", "REDIS__SOCKETTIMEOUTSECONDS": "1.5"}
    with Service(short_tmp, role="worker", env=env) as service:
        with service.store() as store:
            store.pause()
            ids = add(store, [(f"m{n}", 0) for n in range(5_000)])
            store.resume()
        service.stdout.wait_for_count(300)
        service.kill()
    first = Counter(printed(service.stdout.texts()))
    assert len(first) < 5_000, "too quick to be killed in the middle"
    with Service(short_tmp, role="worker") as again:
        again.stdout.wait("the rest", lambda lines: len({*printed([x.text for x in lines]), *first}) == 5_000, 30)
        with again.store() as store:
            wait_for("recorded", lambda: store.counts().finished == 5_000)
        assert again.stop() == 0
    second = Counter(printed(again.stdout.texts()))
    repeated = set(first) & set(second)
    assert len(repeated) <= 300, "more than three batches were in flight"
    assert max(first.values()) == max(second.values()) == 1
    logged = attempts(service.log())
    assert set(logged) == set(ids)
    text_of = {id: f"m{n}" for n, id in enumerate(ids)}
    assert all(a == sorted(set(a)) for a in logged.values()), "one attempt was logged twice"
    assert {text for id, text in text_of.items() if text in repeated and logged[id][-1] == 1} == set()


def test_a_console_that_nobody_reads_takes_nothing_along_and_its_messages_wait(short_tmp: Path) -> None:
    """A full pipe, a stopped terminal: jobs go on, the stop works, and what was not printed is printed uncharged."""
    with Service(short_tmp, read_stdout=False, env={"SCHEDULER__WORKERS": "1"}) as service:
        service.schedule([{"message": f"m{n} " + "x" * 4_000} for n in range(100)])
        wait_for("told", lambda: any("stdout takes no more now" in line for line in service.log()))
        [job] = service.schedule([{"message": {"seconds": 0}, "job": {"type": "wait"}}])
        wait_for("done", lambda: service.get(f"/v1/messages/{job}").json()["status"] == "delivered")
        assert service.stop() == 0
        written = len(attempts(service.log())) - 1
    assert 0 < written < 100
    with Service(short_tmp, role="worker") as again:
        again.stdout.wait_for_count(100 - written)
        assert again.stop() == 0
    assert {tuple(a) for a in attempts(again.log()).values()} == {(1,)}, "what nobody read was charged"


def test_a_second_signal_ends_it_at_once(short_tmp: Path) -> None:
    env = {"SCHEDULER__GRACESECONDS": "60", "JOBS__MODULES": "tests.support.stubborn_jobs"}
    with Service(short_tmp, role="worker", env=env) as service:
        with service.store() as store:
            [id] = store.new_ids(1)
            store.schedule([NewMessage(id=id, payload="{}", due_at=NOW, channel="job", type="hold")])
            wait_for("in flight", lambda: store.counts().processing == 1)
        children = service.children()
        service.send(signal.SIGTERM)
        service.stderr.wait_for("stopping")
        service.send(signal.SIGINT)
        assert service.wait() == 1
        assert service.stderr.lines[-1].text.startswith("Stopped at once")
        _, left = psutil.wait_procs(children, timeout=20)
    assert left == []
