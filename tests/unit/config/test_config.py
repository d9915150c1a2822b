"""Settings: all problems at once, in words, under the name that the user wrote."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from scheduler.api.ops.stats import SHOWN_MS
from scheduler.config.reading import DEFAULT_PATH, Settings, ignored_variables, load_settings, secrets_of, settings_file
from scheduler.config.sections.api import ApiSettings
from scheduler.config.sections.redis import RedisSettings
from scheduler.config.sections.server import ServerSettings
from scheduler.config.settings import every_setting
from scheduler.delivery.heartbeat import _FORGET_SERVERS_MS
from scheduler.errors import ConfigError
from scheduler.retry import RetryPolicy
from scheduler.telemetry.figures import SLOT_MS


def load(tmp_path: Path, content: object = None, **env: str) -> Settings:
    """Settings of a file with this content (JSON text, or what becomes JSON) under this environment."""
    path = tmp_path / "appsettings.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content or {}))
    return load_settings(path, env)


def problems(tmp_path: Path, content: object = None, **env: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, content, **env)
    return raised.value.problems


# -------------------------------------------------------------------------------------------------------------- sources
def test_the_shipped_file_holds_every_setting_with_its_default() -> None:
    shipped = json.loads(DEFAULT_PATH.read_text())
    assert [f"{section}.{name}" for section, names in shipped.items() for name in names] == [
        setting.key for setting in every_setting()
    ]
    assert {
        setting.key: shipped[setting.key.split(".")[0]][setting.key.split(".")[1]] for setting in every_setting()
    } == {setting.key: setting.field.default for setting in every_setting()}
    assert load_settings(env={}) == Settings()


def test_a_key_that_is_not_in_the_file_has_its_default(tmp_path: Path) -> None:
    settings = load(tmp_path, {"Scheduler": {"Workers": 3}})
    assert settings == Settings.model_validate({"scheduler": {"workers": 3}})
    assert settings.scheduler.batch_size == 100


def test_a_missing_file_is_an_error_only_when_it_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.json: there is no such file"):
        load_settings(tmp_path / "nowhere.json", {})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("scheduler.config.reading.DEFAULT_PATH", tmp_path / "nowhere.json")
    assert load_settings(env={}) == Settings()


def test_the_file_of_the_working_folder_comes_before_the_one_that_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings_file() == DEFAULT_PATH
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "appsettings.json").write_text('{"Scheduler": {"Workers": 3}}')
    assert settings_file() == tmp_path / "config" / "appsettings.json"
    assert load_settings(env={}).scheduler.workers == 3


def test_precedence(tmp_path: Path) -> None:
    file = {"Server": {"Port": 1}}
    assert load(tmp_path, file).server.port == 1
    assert load(tmp_path, file, SERVER__PORT="2").server.port == 2
    assert load(tmp_path, file, SERVER__PORT="2", PORT="3").server.port == 3


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDULER__WORKERS", "77")
    assert load_settings().scheduler.workers == 77


@pytest.mark.parametrize("variable", ["SCHEDULER__BATCH_SIZE", "SCHEDULER__BATCHSIZE", "Scheduler__BatchSize"])
def test_spellings_of_a_variable(tmp_path: Path, variable: str) -> None:
    assert load(tmp_path, **{variable: "7"}).scheduler.batch_size == 7


def test_keys_of_the_file_may_be_written_in_any_case(tmp_path: Path) -> None:
    assert load(tmp_path, {"scheduler": {"batch_size": 7}}).scheduler.batch_size == 7


def test_shortcuts(tmp_path: Path) -> None:
    settings = load(tmp_path, REDIS_URL="redis://localhost:1", PORT="0", API_AUTH="token")
    assert settings.redis.connection_string == "redis://localhost:1"
    assert settings.server.port == 0
    assert settings.api.auth_token == "token"


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    assert load(tmp_path, {"Server": {"Port": 1}}, PORT="", SERVER__PORT="", REDIS_URL="").server.port == 1


def test_variables_of_others_are_left_alone(tmp_path: Path) -> None:
    assert load(tmp_path, HOME="/", __CF="x", FOO__BAR="x", REDIS_PORT="tcp://1.2.3.4:6379") == Settings()


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    assert load(tmp_path, '\ufeff{"Server": {"Port": 1}}').server.port == 1


# ------------------------------------------------------------------------------------------------------------- problems
def test_all_problems_come_at_once_each_under_the_name_that_the_user_wrote(tmp_path: Path) -> None:
    content = {
        "Redis": {"Partitions": 0, "Partitons": 2},
        "scheduler": {"workers": "many", "PollSeconds": True, "Past": "maybe"},
        "Retri": {},
        "Logs": [],
    }
    assert problems(tmp_path, content, PORT="70000", LOGS__CONSOLE="perhaps", Server__Rôle="x", API__MAXBODY="1") == [
        "Redis.Partitons: unknown setting; did you mean Redis.Partitions?",
        "Retri: unknown section; did you mean Retry?",
        "Logs: a list is not accepted; accepted: an object with the section's settings",
        "API__MAXBODY: unknown setting; did you mean API__MAX_BODY_BYTES?",
        "Server__Rôle: unknown setting; did you mean SERVER__ROLE?",
        "Redis.Partitions: 0 is not accepted; accepted: a whole number from 1 to 1024",
        'PORT: "70000" is not accepted; accepted: a whole number from 0 to 65535',
        'scheduler.workers: "many" is not accepted; accepted: a whole number from 1 to 1000',
        "scheduler.PollSeconds: true is not accepted; accepted: a number of seconds from 0.01 to 3600",
        'scheduler.Past: "maybe" is not accepted; accepted: one of deliver, reject',
        'LOGS__CONSOLE: "perhaps" is not accepted; accepted: true or false',
    ]


def test_an_unknown_key_that_resembles_nothing_gets_the_known_ones(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, {"Xyzzy": {}})
    known = ", ".join(field.alias or "" for field in Settings.model_fields.values())
    assert line == f"Xyzzy: unknown section; known are: {known}"


def test_a_server_that_delivers_nothing_needs_a_redis_that_others_share(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, SERVER__ROLE="api")
    assert line == (
        "SERVER__ROLE: api delivers nothing, and a private Redis is reached by the processes of its own server only, "
        "so no other server could deliver; accepted: all, or api with a Redis.ConnectionString (env REDIS_URL) that a "
        "worker has too"
    )
    assert load(tmp_path, SERVER__ROLE="api", REDIS_URL="localhost").server.role == "api"


def test_a_problem_is_one_line_whatever_the_file_holds(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, {"x\n2027-01-01 INFO all is well\x1b[2J": {}})
    assert line.startswith("x\\n2027-01-01 INFO all is well\\x1b[2J: unknown section")


def test_a_key_in_the_wrong_section_is_found(tmp_path: Path) -> None:
    assert problems(tmp_path, {"Server": {"BatchSize": 7}}) == [
        "Server.BatchSize: unknown setting; did you mean Scheduler.BatchSize?"
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{\n  "Redis": {,}\n}', ", line 2, column 13: broken JSON: "),
        ("", ", line 1, column 1: broken JSON: "),
        ("[]", ": a list is not accepted; accepted: an object with one member per section"),
        ("5", ": 5 is not accepted; accepted: an object"),
        ('{"Redis": {}, "Redis": {}}', ': "Redis" is there twice in one object; accepted: each key once'),
        ('{"Retry": {"Factor": NaN}}', ": NaN is not accepted; accepted: finite numbers"),
        ('{"Retry": {"Factor": -Infinity}}', ": -Infinity is not accepted"),
        ('{"a":' * 100_000, ": nested too deeply"),
    ],
)
def test_a_broken_file(tmp_path: Path, text: str, words: str) -> None:
    (line,) = problems(tmp_path, text)
    assert line.startswith(str(tmp_path / "appsettings.json") + words)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_settings(tmp_path, {})
    (tmp_path / "latin").write_bytes(b'{"x": "\xe4"}')
    with pytest.raises(ConfigError, match="latin: not UTF-8 text"):
        load_settings(tmp_path / "latin", {})


@pytest.mark.parametrize("text", ["1e999", "-1", "1" + "0" * 400, '"nan"', "null", "{}", '""'])
def test_numbers_that_are_none(tmp_path: Path, text: str) -> None:
    (line,) = problems(tmp_path, '{"Retry": {"Factor": %s}}' % text)  # noqa: UP031 - braces of JSON
    assert line.endswith("is not accepted; accepted: a number from 1 to 1000")
    assert len(line) < 200


def test_one_setting_in_two_spellings_is_an_error(tmp_path: Path) -> None:
    assert problems(tmp_path, SERVER__API_THREADS="1", SERVER__APITHREADS="2") == [
        "SERVER__API_THREADS: already set as SERVER__APITHREADS; accepted: one of the two"
    ]
    assert problems(tmp_path, {"Server": {"Port": 1, "port": 2}}) == [
        "Server.port: already set as Server.Port; accepted: one of the two"
    ]


@pytest.mark.parametrize("attempts", [0, -2])
def test_attempts_are_at_least_one_or_without_limit(tmp_path: Path, attempts: int) -> None:
    assert problems(tmp_path, {"Retry": {"MaxAttempts": attempts}}) == [
        f"Retry.MaxAttempts: {attempts} is not accepted; accepted: -1, or a whole number from 1 to 1000000"
    ]
    assert load(tmp_path, {"Retry": {"MaxAttempts": -1}}).retry.policy() == RetryPolicy(max_attempts=-1)


def test_a_cap_below_the_base(tmp_path: Path) -> None:
    assert problems(tmp_path, {"Retry": {"CapSeconds": 0.5}}, RETRY__BASE_SECONDS="2") == [
        "Retry.CapSeconds: 0.5 is less than RETRY__BASE_SECONDS, 2; accepted: a cap that is not below the base"
    ]


def test_a_call_that_may_outlive_the_locks(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, {"Scheduler": {"LockSeconds": 2}}, REDIS__SOCKET_TIMEOUT_SECONDS="3")
    assert line.startswith("REDIS__SOCKET_TIMEOUT_SECONDS: 3 is more than Scheduler.LockSeconds, 2: a claim could be")
    assert line.endswith("accepted: at most Scheduler.LockSeconds")


def test_a_heartbeat_slower_than_what_counts_on_it(tmp_path: Path) -> None:
    """Figures are kept by slots of 10 s, and a server that is silent for 60 s leaves the dashboard."""
    assert problems(tmp_path, {"Scheduler": {"HeartbeatSeconds": 11}}) == [
        "Scheduler.HeartbeatSeconds: 11 is not accepted; accepted: a number of seconds from 0.05 to 10"
    ]
    longest = load(tmp_path, {"Scheduler": {"HeartbeatSeconds": 10}}).scheduler.heartbeat_seconds
    assert 3 * longest * 1000 < SHOWN_MS < _FORGET_SERVERS_MS
    assert longest * 1000 <= SLOT_MS


def test_one_port_for_two(tmp_path: Path) -> None:
    assert problems(tmp_path, {"Events": {"Port": 3001}}, PORT="3001") == [
        "Events.Port: 3001 is also PORT; accepted: another port, or Events.Enabled false"
    ]
    for accepted in ({"EVENTS__ENABLED": "false"}, {"SERVER__ROLE": "worker"}, {"EVENTS__PORT": "0"}):
        load(tmp_path, {}, **{"PORT": "3001", **accepted})
    assert problems(tmp_path, {"Metrics": {"Port": 3001}}) == [
        "Metrics.Port: 3001 is also Events.Port; accepted: another port, or 0 for none"
    ]
    load(tmp_path, {"Metrics": {"Port": 3000}}, SERVER__ROLE="worker")


def test_several_processes_on_any_free_port(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, {"Server": {"ApiProcesses": 2}}, PORT="0")
    assert line.startswith("PORT: 0 would give each API process a port of its own")


def test_an_ipv6_address_may_stand_in_brackets(tmp_path: Path) -> None:
    found = load(tmp_path, {"Metrics": {"Host": "[fe80::1%eth0]"}}, SERVER__HOST="[::1]")
    assert (found.server.host, found.metrics.host) == ("::1", "fe80::1%eth0")


def test_choices_may_be_written_in_any_case(tmp_path: Path) -> None:
    settings = load(tmp_path, {"Server": {"Role": "Worker"}}, LOGS__LEVEL="warning")
    assert (settings.server.role, settings.logs.level) == ("worker", "WARNING")


# --------------------------------------------------------------------------------------------------- connection strings
@pytest.mark.parametrize(
    "text",
    [
        "embedded", "Embedded", "localhost", "redis", "10.0.0.1", "redis.example.com:6380", "[::1]:6379",
        "[fe80::1%eth0]", "redis://", "redis://:p@ss@host:1/0", "rediss://user:pa%2Fss@host:65535/15?ssl_cert_reqs=none",
        "unix:///run/redis.sock?db=1", "sentinel://a:1,b:2/service", "cluster://a:1,[::1]:2",
    ],
)  # fmt: skip
def test_connection_strings(text: str) -> None:
    assert RedisSettings(connection_string=text).connection_string == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a b",
        "host:0",
        "host:65536",
        "host:port",
        "http://host",
        "redis://ho st",
        "unix://",
        "::1",
        "sentinel://a:1",
    ],
)
def test_refused_connection_strings(text: str) -> None:
    with pytest.raises(ValidationError):
        RedisSettings(connection_string=text)


def test_a_refused_secret_is_not_repeated(tmp_path: Path) -> None:
    lines = problems(tmp_path, REDIS_URL="redis://:hunter2@host:port", API_AUTH="hunter2 hunter2")
    assert lines[0].startswith("REDIS_URL: the value is not accepted; accepted: embedded, localhost")
    assert lines[1].startswith("API_AUTH: the value is not accepted; accepted: printable ASCII characters without")
    assert "hunter2" not in "".join(lines)


@pytest.mark.parametrize(
    ("given", "tokens"),
    [("a", ["a"]), ("a,b", ["a", "b"]), (" a , b ", ["a", "b"]), (["a", "b"], ["a", "b"]), ("", []), ([], [])],
)
def test_tokens(given: Any, tokens: list[str]) -> None:
    assert ApiSettings(auth_token=given).tokens == tokens


@pytest.mark.parametrize("given", ["correct horse", "a,", ",a", "a,,b", ["a,b"], ["a b"], ["a", ""], "schlüssel"])
def test_refused_tokens(given: Any) -> None:
    """A passphrase with blanks would become short tokens, each of which opens everything."""
    with pytest.raises(ValidationError):
        ApiSettings(auth_token=given)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://ops.example.com", "https://ops.example.com"),
        ("HTTPS://Ops.Example.com:8443/Scheduler/x/", "https://ops.example.com:8443/Scheduler/x"),
        ("http://[::1]:3000/", "http://[::1]:3000"),
        ("", ""),
    ],
)
def test_public_urls(given: str, shown: str) -> None:
    assert ServerSettings(public_url=given).public_url == shown


@pytest.mark.parametrize(
    "given",
    [
        "ops.example.com",
        "ftp://a",
        "https://",
        "https:///x",
        "https://u:p@a",
        "https://a/?b",
        "https://a/#b",
        "https://a b",
        "https://a//b",
        "https://a/b\nX: y",
        3,
    ],
)
def test_refused_public_urls(given: Any) -> None:
    with pytest.raises(ValidationError):
        ServerSettings(public_url=given)


@pytest.mark.parametrize("given", ["10.0.0.0/8", "10.0.0.1/8, ::1", ["127.0.0.1", "fd00::/8"], ""])
def test_trusted_proxies(given: Any) -> None:
    assert " " not in ApiSettings(trusted_proxies=given).trusted_proxies


@pytest.mark.parametrize("given", ["proxy", "10.0.0.0/33", "10.0.0.256", "10.0.0.1,", "*"])
def test_refused_proxies(given: str) -> None:
    with pytest.raises(ValidationError):
        ApiSettings(trusted_proxies=given)


# ------------------------------------------------------------------------------------------------------------- the rest
def test_secrets_are_found_as_written_and_decoded(tmp_path: Path) -> None:
    settings = load(tmp_path, REDIS_URL="redis://user:pa%2Fss@host:1/0", API_AUTH="token-of-mine")
    assert set(secrets_of(settings)) == {"token-of-mine", "pa%2Fss", "pa/ss"}
    sentinels = load(tmp_path, REDIS_URL="sentinel://user:one@host:1/s?sentinel_password=t%2Fwo")
    assert set(secrets_of(sentinels)) == {"one", "t%2Fwo", "t/wo"}
    assert secrets_of(load(tmp_path, API_AUTH="one-token,another")) == ["one-token", "another"]
    assert secrets_of(Settings()) == []


def test_settings_are_frozen(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        load(tmp_path).server.port = 1


CHANGED: dict[str, Any] = {
    "redis": {"connection_string": "redis://:ä@host", "partitions": 12},
    "retry": {"max_attempts": -1, "jitter": False, "base_seconds": 0.1},
    "logs": {"level": "ERROR"},
}


@pytest.mark.parametrize("values", [{}, CHANGED])
def test_a_child_process_gets_equal_settings(values: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.model_validate(values)
    # The parent has read the environment already; the child must not do so again.
    monkeypatch.setenv("SERVER__PORT", "9")
    assert Settings.model_validate_json(settings.model_dump_json()) == settings
    assert Settings.model_validate_json(settings.model_dump_json(by_alias=True)) == settings
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert settings.server.port == 3000


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
)
SECTIONS = st.sampled_from(["Redis", "Server", "Scheduler", "Retry", "Retention", "Api", "Webhook", "Logs", "x"])
KEYS = st.sampled_from([setting.key.partition(".")[2] for setting in every_setting()] + ["", "Unknown"])
VARIABLES = st.sampled_from(
    [setting.variable for setting in every_setting()] + ["PORT", "REDIS_URL", "API_AUTH", "API__"]
)


# No deadline: it writes a file, on a machine that may be busy.
@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(
        st.dictionaries(SECTIONS, st.dictionaries(KEYS, JSON)).map(json.dumps),
        st.dictionaries(SECTIONS, JSON).map(json.dumps),
        JSON.map(json.dumps),
        st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    ),
    st.dictionaries(VARIABLES, st.text()),
)
def test_any_file_and_environment_give_settings_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, text: str, env: dict[str, str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.json"
    path.write_text(text, "utf-8")
    try:
        settings = load_settings(path, env)
    except ConfigError as error:
        assert error.problems  # noqa: PT017 - most inputs raise nothing
        assert all(": " in line for line in error.problems)  # noqa: PT017 - most inputs raise nothing
    else:
        assert Settings.model_validate_json(settings.model_dump_json()) == settings


# ------------------------------------------------------------------------------------------------- ignored variables
@pytest.mark.parametrize("variable", ["SCHEDULER_WORKERS", "scheduler_workers", "Scheduler_Workers"])
def test_one_underscore_in_place_of_two_is_told(variable: str) -> None:
    (line,) = ignored_variables({variable: "20"})
    assert line.startswith(f"{variable} is ignored; did you mean SCHEDULER__WORKERS,")
    assert load_settings(env={variable: "20"}) == Settings(), "other programs may own the name: no refusal"


def test_every_setting_with_one_underscore_is_told_and_nothing_else() -> None:
    meant = {setting.variable.replace("__", "_"): "x" for setting in every_setting()}
    assert len(ignored_variables(meant)) == len(meant)
    right = {setting.variable: "x" for setting in every_setting()}
    others = {"PORT": "1", "RETRY_TIME": "1", "REDIS_URL": "x", "REDIS_PORT": "tcp://10.0.0.1:6379", "PATH": "/bin"}
    assert ignored_variables({**right, **others, "SCHEDULER_WORKERS": ""}) == []
