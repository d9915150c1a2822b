"""Live events of a real Redis Cluster: several nodes, none of which knows of the others' streams."""

from __future__ import annotations

from pathlib import Path

from tests.support.events import Live
from tests.support.topologies import Cluster


def test_events_of_all_nodes_and_where_they_go_on(short_tmp: Path) -> None:
    with Cluster(short_tmp) as cluster, Live(cluster.url, redis={"partitions": 6}) as live:
        with live.viewer() as viewer:
            ids = [id for _ in range(30) for id in live.add(2)]
            assert sorted(event["id"] for event in viewer.wait(60)) == sorted(ids)
            seen = viewer.events
        later = [id for _ in range(10) for id in live.add()]
        with live.viewer(f"last_event_id={seen[30]['event_id']}") as viewer:
            expected = {event["id"] for event in seen[31:]} | set(later)
            while not {event["id"] for event in viewer.events} >= expected:
                viewer.receive()
        assert viewer.gaps == 0
