// The code and the tables of docs/client_typescript.md.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as client from 'message-scheduler-client';

const page = readFileSync(new URL('../../../docs/client_typescript.md', import.meta.url), 'utf8');

test('the page names every method and every error', () => {
  const named = [...page.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell]) => cell.match(/(?<=`)\w+/g));
  const methods = Object.getOwnPropertyNames(client.Client.prototype).filter((name) => name !== 'constructor');
  const errors = Object.keys(client).filter((name) => client[name].prototype instanceof Error);
  assert.deepEqual(
    [...methods, ...errors].filter((name) => !named.includes(name)),
    [],
  );
});

test('the receiver of the page refuses what is not signed', async (t) => {
  const [, receiver] = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map((found) => found[1]);
  const here = receiver.replace("'message-scheduler-client'", `'${import.meta.resolve('message-scheduler-client')}'`);
  const { server } = await import(`data:text/javascript,${encodeURIComponent(here)}`);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => (server.close(), server.closeAllConnections()));
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/`, { method: 'POST', body: '{}' });
  assert.equal(answer.status, 401);
});
