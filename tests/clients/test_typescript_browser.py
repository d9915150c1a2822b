"""The TypeScript client in a real browser, on a page of another origin than the service's."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from scheduler.clock import SystemClock
from tests.support.browser import Browser
from tests.support.service import ROOT, Service

FOLDER = ROOT / "clients" / "typescript"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SCRIPT = """
const [url, headers, body, secret] = arguments;
return (async () => {
  const { Client, verify } = await import('/dist/esm/index.js');
  const client = new Client({ url });
  const sent = await client.send('from a page', { delay: 3600 });
  const found = [];
  for await (const message of client.messages({ status: 'scheduled' })) found.push(message.id);
  const schedule = await client.putSchedule('hourly', 'tick', { every: '1h' });
  const refused = await client.send('x', { delay: 'soon' }).catch((error) => [error.status, error.field]);
  const delivery = await verify(headers, body, secret);
  return [found[0] === sent.id, schedule.id, refused, delivery.json()];
})();
"""


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        pass


@pytest.fixture
def page() -> Iterator[str]:
    """The address of a page beside the built client, which the Makefile builds before these tests."""
    if not (FOLDER / "dist" / "esm" / "index.js").exists():
        # In CI too, like the client's other tests: see the Makefile.
        pytest.skip("the TypeScript client is not built: cd clients/typescript && npm ci && npm run build")
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Files, directory=str(FOLDER)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_works_on_a_page_of_another_origin(page: str, short_tmp: Path) -> None:
    body, seconds = '{"order": 4711, "name": "Zoë"}', SystemClock().now_ms() // 1000
    signature = Webhook(SECRET).sign("id", datetime.fromtimestamp(seconds, UTC), body)
    headers = {"webhook-id": "id", "webhook-timestamp": str(seconds), "webhook-signature": signature}
    with Service(short_tmp, env={"API__CORSORIGINS": page}) as service, Browser(page) as browser:
        browser.open("package.json")
        seen = browser.script(SCRIPT, f"http://127.0.0.1:{service.port}", headers, body, SECRET)
    assert seen == [True, "hourly", [400, "delay"], {"order": 4711, "name": "Zoë"}]
