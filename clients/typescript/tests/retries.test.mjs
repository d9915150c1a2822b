// What is sent again, when, and with which key.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, Client, SchedulerError, Unreachable } from 'message-scheduler-client';
import { retryAfter, waitBefore } from '../dist/esm/retries.js';

const OK = () => Response.json({ paused: false, id: '1' });
const refused = (status, headers = {}) =>
  Response.json({ title: 'No', status, detail: 'Redis is away' }, { status, headers });
const lost = (code) =>
  Object.assign(new TypeError('fetch failed'), { cause: Object.assign(new Error(code), { code }) });

/** A client whose service gives these answers, and the requests that it was sent. */
function scripted(...answers) {
  const requests = [];
  const fetch = async (url, request) => {
    requests.push({ url, ...request });
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { client: new Client({ fetch, retries: { base: 0 } }), requests };
}

test('a message is sent again under one key, and another one under another', async () => {
  const { client, requests } = scripted(lost('ECONNRESET'), refused(503), OK(), OK());
  await client.send('x');
  await client.send('x');
  const keys = requests.map(({ headers }) => headers['Idempotency-Key']);
  assert.equal(new Set(keys.slice(0, 3)).size, 1);
  assert.match(keys[0], /^[0-9a-f]{32}$/);
  assert.notEqual(keys[3], keys[0]);
});

test("the caller's own key is used, and none beside an own id", async () => {
  const { client, requests } = scripted(OK(), OK());
  await client.send('x', {}, { idempotencyKey: 'mine' });
  await client.send('x', { id: 'order-4711' });
  assert.deepEqual(
    requests.map(({ headers }) => headers['Idempotency-Key']),
    ['mine', undefined],
  );
});

test('a redirect is not followed, as a POST would become a GET', async () => {
  const moved = new Response(null, { status: 301, headers: { Location: 'https://scheduler.example/v1/messages' } });
  const { client, requests } = scripted(moved);
  await assert.rejects(client.send('x'), /redirects to https:\/\/scheduler.example\/v1\/messages/);
  assert.deepEqual([requests.length, requests[0].redirect], [1, 'manual']);
});

test('nothing becomes null by the way, which would mean now', async () => {
  const { client, requests } = scripted(OK());
  await assert.rejects(client.send('x', { time: new Date('2027-02-30 nonsense') }), RangeError);
  await assert.rejects(client.send('x', { delay: Number('soon') }), RangeError);
  await assert.rejects(client.send({ deep: [Infinity] }), RangeError);
  await client.send({ nothing: null, date: new Date(0) }, { delay: 0 });
  assert.deepEqual(
    requests.map(({ body }) => body),
    ['{"message":{"nothing":null,"date":"1970-01-01T00:00:00.000Z"},"delay":0}'],
  );
});

test('the repeats are bounded', async () => {
  const { client, requests } = scripted(...Array.from({ length: 9 }, () => lost('ECONNREFUSED')));
  await assert.rejects(client.stats(), Unreachable);
  assert.equal(requests.length, 4);
});

test('an answer that breaks off is none', async () => {
  const broken = new Response(new ReadableStream({ pull: (stream) => stream.error(new TypeError('terminated')) }));
  const { client, requests } = scripted(broken, OK());
  await client.stats();
  assert.equal(requests.length, 2);
});

test('what does more when repeated is sent again only when it cannot have been done', async () => {
  for (const answer of [lost('ECONNRESET'), refused(503)]) {
    const { client, requests } = scripted(answer, OK());
    await assert.rejects(client.redriveMany(), SchedulerError);
    assert.equal(requests.length, 1);
  }
  for (const answer of [lost('ECONNREFUSED'), refused(429)]) {
    const { client, requests } = scripted(answer, OK());
    await client.redriveMany();
    assert.equal(requests.length, 2);
  }
});

test('what would not pass is not repeated', async () => {
  for (const status of [400, 401, 404, 500]) {
    const { client, requests } = scripted(refused(status));
    await assert.rejects(client.stats(), { status });
    assert.equal(requests.length, 1);
  }
});

test('a Retry-After beyond the bound ends the call at once', async () => {
  const { client } = scripted(refused(429, { 'Retry-After': '3600' }));
  const error = await client.pause().catch((caught) => caught);
  assert.ok(error instanceof ApiError);
  assert.deepEqual([error.status, error.retryAfter, error.tries], [429, 3600, 1]);
});

test('waits: as Retry-After asks, drawn from a growing backoff else, bounded in all', (t) => {
  t.mock.method(Math, 'random', () => 1);
  assert.deepEqual(
    [1, 2, 3, 4].map((repeat) => waitBefore(repeat, {}, undefined, 0)),
    [0.25, 0.5, 1, undefined],
  );
  assert.equal(waitBefore(1, {}, 7, 0), 7.25);
  assert.equal(waitBefore(1, {}, 7, 23), undefined);
  assert.equal(waitBefore(1, { longestWait: 60 }, 7, 23), 7.25);
});

test('a Retry-After in seconds, and as a date', (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.UTC(2027, 0, 1) });
  const read = { 3: 3, 0: 0, soon: undefined, '-1': undefined, '': undefined, 2027: 2027 };
  for (const [value, seconds] of Object.entries(read)) assert.equal(retryAfter(value), seconds, value);
  assert.equal(retryAfter('Fri, 01 Jan 2027 00:01:30 GMT'), 90);
  assert.equal(retryAfter('Thu, 31 Dec 2026 00:00:00 GMT'), 0);
  assert.equal(retryAfter(null), undefined);
});

test('the caller may give up, also while the client waits', async () => {
  const { client, requests } = scripted(refused(503, { 'Retry-After': '20' }), OK());
  const signal = AbortSignal.timeout(20);
  await assert.rejects(client.stats({ signal }), { name: 'TimeoutError' });
  assert.equal(requests.length, 1);
});

test('an answer of something else', async () => {
  const { client } = scripted(new Response('hello'), new Response('<html>', { status: 404, statusText: 'Not Found' }));
  await assert.rejects(client.stats(), /answered no JSON/);
  await assert.rejects(client.stats(), /404 Not Found: <html>/);
});

test('the address may have a path, and an id any character', async () => {
  const requests = [];
  const fetch = async (url, { headers }) => (requests.push({ url, headers }), OK());
  await new Client({ url: 'http://scheduler.example/path/', token: 'secret', fetch }).get('a/b');
  assert.equal(requests[0].url, 'http://scheduler.example/path/v1/messages/a%2Fb');
  assert.equal(requests[0].headers.Authorization, 'Bearer secret');
});
