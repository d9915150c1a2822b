"""docs/moving.md: its settings are accepted, its handler runs, and what it says of each old client is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scheduler import jobs
from scheduler.config.reading import load_settings
from scheduler.jobs import REGISTRY, JobContext
from tests.support.api import Api
from tests.support.clock import FakeClock

PAGE = (Path(__file__).parents[3] / "docs" / "moving.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def variables(block: str) -> dict[str, str]:
    lines = [line.partition("=") for line in block.splitlines()]
    return {name: "s3cret" if value.startswith("<") else value for name, _, value in lines}


@pytest.mark.parametrize("block", blocks("sh"))
def test_the_settings_of_each_section_are_accepted(block: str) -> None:
    assert load_settings(env=variables(block)).model_fields_set


def test_the_fallback_of_the_page_takes_the_types_of_the_old_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    (source,) = blocks("python")
    (tmp_path / "my_jobs.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(REGISTRY, "fallback", "")
    monkeypatch.setattr(REGISTRY, "_types", {})
    jobs.load(["my_jobs"], "any_type")
    api = Api(clock)
    for type in ("email_notification", "data_processing", "report_generation", "image_resize"):
        assert f"`{type}`" in PAGE
        body = {"type": type, "payload": {"to": "a@b.c"}, "user_id": "u", "created_at": "now"}
        assert api.post("/api/jobs", body).status_code == 201
    found = REGISTRY.get("email_notification")
    assert found is not None
    assert found.run({"to": "a@b.c"}, JobContext("id", type="email_notification")) == {"sent_to": "a@b.c"}
    with pytest.raises(jobs.Dead, match="image_resize"):
        found.run({}, JobContext("id", type="image_resize"))


def test_every_link_within_the_page_leads_somewhere() -> None:
    headings = {
        re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in re.findall(r"^#+ (.+)", PAGE, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= headings
