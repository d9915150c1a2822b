"""The jobs that the pictured service runs."""

from __future__ import annotations

from typing import Any

from scheduler.jobs import JobContext, Retry, handler


@handler("resize_image")
def resize_image(payload: Any, context: JobContext) -> Any:
    """Done at once; one in eight needs a second attempt."""
    if payload["image"] % 8 == 0 and context.attempt == 1:
        raise Retry("the image store is busy")
    return {"width": payload["width"], "bytes": payload["width"] * 640}
