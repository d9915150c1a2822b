"""The files of deploy/ ask for metrics, ports, paths and settings that the service has.  The systemd unit has a test of
its own.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from scheduler.api import processes
from scheduler.config.reading import load_settings
from scheduler.config.settings import Settings
from scheduler.delivery import workers
from tests.support.api import Api
from tests.support.clock import FakeClock
from tests.support.samples import SELECTOR, Samples, shown_samples
from tests.unit.project.test_docs_pages import anchors

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
RUNBOOK = ROOT / "docs" / "runbook.md"
PAGES = "".join(path.read_text("utf-8") for path in (RUNBOOK, ROOT / "docs" / "production.md"))
RULES: list[dict[str, Any]] = yaml.safe_load((DEPLOY / "prometheus-alerts.yml").read_text())["groups"][0]["rules"]
PANELS: list[dict[str, Any]] = json.loads((DEPLOY / "grafana-dashboard.json").read_text())["panels"]
MANIFESTS = [
    manifest
    for path in sorted((DEPLOY / "kubernetes").iterdir())
    for manifest in yaml.safe_load_all(path.read_text("utf-8"))
]
(SCALED,) = yaml.safe_load_all((DEPLOY / "kubernetes-keda.yaml").read_text("utf-8"))
QUERIES = {
    **{rule["alert"]: rule["expr"] for rule in RULES},
    **{
        f"{panel['title']} {target['refId']}": target["expr"] for panel in PANELS for target in panel.get("targets", ())
    },
    "KEDA": SCALED["spec"]["triggers"][0]["metadata"]["query"],
}


def of(kind: str) -> dict[str, dict[str, Any]]:
    """Manifests of a kind by name."""
    return {one["metadata"]["name"]: one for one in MANIFESTS if one["kind"] == kind}


DEPLOYMENTS = {name.removeprefix("message-scheduler-"): one for name, one in of("Deployment").items()}
BOTH = pytest.mark.parametrize("name", ["api", "worker"])


@pytest.fixture
def samples(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Samples:
    return shown_samples(clock, monkeypatch)


def test_the_pages_name_every_file() -> None:
    for path in DEPLOY.iterdir():
        assert f"](../deploy/{path.name})" in PAGES, path.name


# ------------------------------------------------------------------------------------------------- alerts and dashboard


def test_queries_ask_for_metrics_labels_and_values_that_exist(samples: Samples) -> None:
    assert len(QUERIES) > len(RULES) > 11
    for name, query in QUERIES.items():
        asked = SELECTOR.findall(query)
        assert asked, name
        for metric, selector in asked:
            assert metric in samples, (name, metric)
            for label, values in re.findall(r'(\w+)=~?"([^"]*)"', selector):
                assert set(values.split("|")) <= samples[metric].get(label, set()), (name, selector)
        for labels in re.findall(r"by \(([^)]*)\)", query):
            known = {label for metric, _ in asked for label in samples[metric]}
            assert set(labels.split(", ")) <= known, (name, labels)


def test_labels_in_sentences_and_legends_are_those_that_the_query_keeps() -> None:
    texts = [(rule["annotations"]["summary"], rule["expr"]) for rule in RULES]
    texts += [(t["legendFormat"], t["expr"]) for panel in PANELS for t in panel.get("targets", ())]
    for text, query in texts:
        kept = set(", ".join(re.findall(r"by \(([^)]*)\)", query)).split(", "))
        assert set(re.findall(r"\{\{ ?(?:\$labels\.)?(\w+) ?\}\}", text)) <= kept, (text, query)


def test_every_alert_leads_to_its_entry_in_the_runbook() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| \[.*\]\(#(.+)\) \|$", RUNBOOK.read_text("utf-8"), re.MULTILINE)
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    assert rows == [
        (rule["alert"], rule["labels"]["severity"], rule["annotations"]["runbook"].removeprefix("docs/runbook.md#"))
        for rule in RULES
    ]
    assert {anchor for _, _, anchor in rows} <= anchors(RUNBOOK)


def test_a_pause_explains_why_messages_are_late() -> None:
    for alert in ("MessagesAreLate", "DestinationTakesNoMore", "SchedulesOverdue", "KEDA"):
        assert "scheduler_paused" in QUERIES[alert]


def test_promtool_accepts_the_rules() -> None:
    # Not in system-packages.txt: Debian's package, Prometheus itself, takes 96 MB.
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool (Debian: apt-get install prometheus)")
    subprocess.run([promtool, "check", "rules", DEPLOY / "prometheus-alerts.yml"], check=True, timeout=30)


def test_panels_have_a_place_of_their_own() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    places = [
        (x, y)
        for place in (panel["gridPos"] for panel in PANELS)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(places)) == len(places)
    assert max(x for x, _ in places) < 24


# ----------------------------------------------------------------------------------------------------------- Kubernetes


def container(name: str) -> dict[str, Any]:
    (found,) = DEPLOYMENTS[name]["spec"]["template"]["spec"]["containers"]
    return dict(found)


def settings_of(name: str) -> Settings:
    """As the service reads them in the container.  An unknown variable is refused."""
    env = {**of("ConfigMap")["message-scheduler"]["data"], **of("Secret")["message-scheduler"]["stringData"]}
    env |= {one["name"]: one.get("value", "pod-1") for one in container(name)["env"]}
    return load_settings(env=env)


@BOTH
def test_the_settings_are_accepted_and_lead_to_a_shared_redis(name: str) -> None:
    settings = settings_of(name)
    assert settings.server.role == name
    assert (settings.server.host, settings.server.name) == ("0.0.0.0", "pod-1")
    assert settings.redis.connection_string.startswith("redis://")
    assert settings.api.tokens
    sources = [source for one in container(name)["envFrom"] for source in one.values()]
    assert sources == [{"name": "message-scheduler"}] * 2


@BOTH
def test_ports_are_those_that_the_settings_say(name: str) -> None:
    settings = settings_of(name)
    ports = {port["name"]: port["containerPort"] for port in container(name)["ports"]}
    own = {"http": settings.server.port}
    if name == "worker":
        own = {"events": settings.events.port, "metrics": settings.metrics.port}
    assert ports == own
    for service in of("Service").values():
        for port in service["spec"]["ports"]:
            if (
                service["spec"]["selector"].items()
                <= DEPLOYMENTS[name]["spec"]["template"]["metadata"]["labels"].items()
            ):
                assert port["port"] == ports[port["targetPort"]]


@BOTH
def test_probes_ask_for_paths_that_answer_without_a_token(name: str, clock: FakeClock) -> None:
    probes = {kind: container(name)[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
    assert probes["readiness"]["path"] == "/health"
    api = Api(clock, {"api": {"auth_token": "secret"}})
    api.store.beat("here/scheduler", {"role": "scheduler", "progress_age_ms": 0})
    if name == "api":
        assert {api.client.get(probe["path"]).status_code for probe in probes.values()} == {200}
        assert probes["liveness"]["path"] == "/", "a restart brings back neither Redis nor a worker"
    else:
        assert list(probes.values()) == [{"path": "/health", "port": "metrics"}] * 3
    assert {probe["port"] for probe in probes.values()} <= {port["name"] for port in container(name)["ports"]}


@BOTH
def test_a_pod_gets_the_time_that_a_stop_takes(name: str) -> None:
    settings = settings_of(name)
    longest = settings.server.drain_seconds + processes.STOP_SECONDS + settings.scheduler.grace_seconds
    longest += workers.STOP_MARGIN_SECONDS + settings.redis.socket_timeout_seconds
    assert longest < DEPLOYMENTS[name]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]


@BOTH
def test_selectors_find_the_pods(name: str) -> None:
    deployment = DEPLOYMENTS[name]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    budget = of("PodDisruptionBudget")[f"message-scheduler-{name}"]["spec"]
    assert budget["selector"]["matchLabels"] == labels
    service = of("Service")["message-scheduler" if name == "api" else "message-scheduler-events"]["spec"]
    assert service["selector"] == labels


@BOTH
def test_pods_run_as_the_user_of_the_image_and_write_where_they_may(name: str) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    pod = DEPLOYMENTS[name]["spec"]["template"]["spec"]
    assert f"--uid {pod['securityContext']['runAsUser']} " in dockerfile
    mounts = {mount["mountPath"]: mount["name"] for mount in container(name)["volumeMounts"]}
    assert f"/app/{settings_of(name).logs.directory}" in mounts
    assert sorted(mounts.values()) == sorted(volume["name"] for volume in pod["volumes"])


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_pods_pass_the_restricted_standard(name: str) -> None:
    """A namespace that enforces it refuses pods that lack one of these."""
    pod = DEPLOYMENTS[name]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    own = container(name)["securityContext"]
    assert (own["allowPrivilegeEscalation"], own["capabilities"]) == (False, {"drop": ["ALL"]})


def test_workers_are_scaled_by_their_name() -> None:
    assert SCALED["spec"]["scaleTargetRef"]["name"] in of("Deployment")
