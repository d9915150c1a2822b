// The client against the real service, as both kinds of module; and the code of the README.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { ApiError, Client, SignatureError, verify } from 'message-scheduler-client';
import { SECRET, startService } from './service.mjs';

let service;
let client;
before(async () => {
  service = await startService();
  client = new Client({ url: service.url });
});
after(() => service?.stop());

/** A receiver of webhooks: its address, and a promise of the first request. */
async function receiver(t) {
  let heard;
  const first = new Promise((resolve) => (heard = resolve));
  const server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    response.writeHead(204).end();
    heard({ headers: request.headers, body: Buffer.concat(parts) });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${server.address().port}/hook`, first };
}

test('a message from its birth to its end', async () => {
  const sent = await client.send({ order: 4711 }, { delay: '2m', priority: 'high', retry: { max_attempts: 2 } });
  assert.equal(sent.max_attempts, 2);
  const changed = await client.change(sent.id, { message: 'other', delay: 3600 });
  assert.equal(changed.message, 'other');
  assert.equal((await client.cancel(sent.id)).status, 'cancelled');
  assert.deepEqual((await client.get(sent.id)).attempts, []);
  await assert.rejects(client.run(sent.id), { status: 409 });
  await assert.rejects(client.redrive(sent.id), { status: 409 });
});

test('many, and all of them page by page', async () => {
  const given = [0, 1, 2, 3, 4, 5, 6].map((number) => ({ message: number, delay: 3600 + number, priority: 'low' }));
  assert.equal((await client.sendMany(given)).accepted, 7);
  const found = [];
  for await (const message of client.messages({ status: 'scheduled', priority: 'low', limit: 3 })) {
    found.push(message.message);
  }
  assert.deepEqual(found, [0, 1, 2, 3, 4, 5, 6]);
});

test('a moment may be a Date', async () => {
  const moment = new Date('2099-03-01T09:00:00Z');
  assert.equal((await client.preview({ time: moment })).due_at, '2099-03-01T09:00:00.000Z');
  const { id } = await client.send('x', { time: moment });
  const page = await client.messagesPage({ status: 'scheduled', since: moment, until: moment });
  assert.deepEqual(
    page.messages.map((message) => message.id),
    [id],
  );
});

test('a schedule from its birth to its end', async () => {
  const options = { cron: '0 9 * * *', timezone: 'Europe/Berlin', labels: ['reports'] };
  const { id } = await client.createSchedule({ report: 'daily' }, options);
  const found = [];
  for await (const schedule of client.schedules({ label: 'reports' })) found.push(schedule.id);
  assert.deepEqual(found, [id]);
  assert.equal((await client.pauseSchedule(id, 'holidays')).note, 'holidays');
  assert.equal((await client.resumeSchedule(id)).status, 'active');
  assert.equal((await client.changeSchedule(id, { cron: '0 10 * * *' })).cron, '0 10 * * *');
  assert.deepEqual((await client.runSchedule(id)).message, { report: 'daily' });
  const to = new Date();
  const span = { from: new Date(to.getTime() - 3 * 86_400_000), to, dry_run: true };
  assert.equal((await client.backfillSchedule(id, span)).would_make, 3);
  assert.equal((await client.putSchedule('every-hour', 'tick', { every: '1h' })).every, '1h');
  assert.equal((await client.previewSchedule({ every: 60, count: 2 })).runs.length, 2);
  assert.equal((await client.getSchedule(id)).next_runs.length > 0, true);
  await client.deleteSchedule(id);
  await assert.rejects(client.getSchedule(id), { status: 404 });
});

test('a flow key', async () => {
  await client.send('x', { delay: 3600, flow: { key: 'tenant-1', concurrency: 2 } });
  const found = [];
  for await (const flow of client.flows()) found.push(flow.key);
  assert.deepEqual(found, ['tenant-1']);
  assert.equal((await client.pinFlow('tenant-1', { rate: 5, period: '1m' })).limits.rate, 5);
  assert.ok((await client.pauseFlow('tenant-1', '5m')).paused_until);
  assert.equal((await client.resumeFlow('tenant-1')).paused, false);
  assert.equal((await client.resetFlow('tenant-1')).in_flight, 0);
  assert.equal((await client.unpinFlow('tenant-1')).limits.rate, null);
  assert.equal((await client.getFlow('tenant-1')).scheduled, 1);
});

test('a destination', async () => {
  const host = 'https:api.example.com:443';
  assert.equal((await client.openDestination(host, 'maintenance')).by_hand, true);
  assert.equal((await client.destinations({ state: 'open' })).destinations[0].id, host);
  assert.equal((await client.closeDestination(host)).state, 'closed');
  assert.equal((await client.getDestination(host)).id, host);
});

test('the history', async () => {
  const { id } = await client.send('for the history');
  for (let found = []; !found.length; ) {
    for await (const message of client.history({ text: 'for the history' })) found.push(message);
  }
  assert.equal((await client.getHistory(id)).status, 'delivered');
  assert.ok((await client.historySummary({ by: 'day' })).slots.length);
  assert.equal((await client.redriveHistory(id)).redriven_from, id);
});

test('the whole service', async () => {
  assert.deepEqual(await client.pause(), { paused: true });
  assert.equal((await client.stats()).paused, true);
  assert.deepEqual(await client.resume(), { paused: false });
  assert.deepEqual(await client.redriveMany({ dry_run: true }), { would_redrive: 0 });
  assert.equal((await client.health()).status, 'success');
});

test('an error names the field and the reason', async () => {
  const error = await client.sendMany([{ message: 1 }, { message: 2, delay: 'soon' }]).catch((caught) => caught);
  assert.ok(error instanceof ApiError);
  assert.deepEqual([error.status, error.title, error.field], [400, 'Bad Request', 'messages.1.delay']);
  assert.ok(error.reason && error.detail.includes(error.reason));
  const nobody = await client.get('nobody').catch((caught) => caught);
  assert.deepEqual([nobody.status, nobody.field, nobody.reason], [404, undefined, nobody.detail]);
});

test('what is sent arrives and verifies', async (t) => {
  const { url, first } = await receiver(t);
  const sent = await client.send({ order: 4711 }, { webhook: { url } });
  const { headers, body } = await first;
  const delivery = await verify(headers, body, SECRET);
  assert.deepEqual([delivery.id, delivery.attempt, delivery.json()], [sent.id, 1, { order: 4711 }]);
  assert.equal((await verify(new Headers(headers), body.toString(), ['whsec_AAAA', SECRET])).id, sent.id);
  await assert.rejects(verify(headers, Buffer.concat([body, body]), SECRET), SignatureError);
});

test('next March is one call away', async (t) => {
  const { url, first } = await receiver(t);
  const time = new Date('2098-03-01T09:00:00Z');
  const sent = await client.send('pay', { time, webhook: { url } });
  assert.ok((await client.moveClock({ time })).now.startsWith('2098-03-01T09:00:0'));
  const { headers, body } = await first;
  assert.equal((await verify(headers, body, SECRET)).id, sent.id);
});

test('as CommonJS too', async () => {
  const required = createRequire(import.meta.url)('message-scheduler-client');
  assert.equal((await new required.Client({ url: service.url }).stats()).paused, false);
});

test('the README runs', async (t) => {
  const { url, first } = await receiver(t);
  const text = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [send, receive, refused] = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map((found) => found[1]);
  const printed = [];
  t.mock.method(console, 'log', (...values) => printed.push(values.join(' ')));
  process.env.MESSAGE_SCHEDULER_URL = service.url;
  await imported(send.replace('http://127.0.0.1:3000', service.url));
  assert.match(printed[0], /^\S+ is due at 20/);
  await imported(refused);
  assert.match(printed.at(-1), /^delay ./);

  const { receive: handle } = await imported(receive);
  await client.send({ order: 4711 }, { webhook: { url } });
  const { headers, body } = await first;
  const request = () => new Request(url, { method: 'POST', headers, body });
  assert.equal((await handle(request())).status, 204);
  headers['webhook-id'] = 'another';
  assert.equal((await handle(request())).status, 401);
});

/** The module that a text is. */
async function imported(source) {
  const here = source.replaceAll("'message-scheduler-client'", `'${import.meta.resolve('message-scheduler-client')}'`);
  return await import(`data:text/javascript,${encodeURIComponent(here)}`);
}
