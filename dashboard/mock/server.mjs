// Speaks the service's contract with made-up data, so that the dashboard can be worked on alone:
//   node mock/server.mjs [port] [scenario]     scenarios: healthy idle paused dead-growing hanging held-back unserved overdue redis-full no-scheduler redis-away token
// Serves the built files too, under the service's own Content-Security-Policy.
import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { answerDestinations } from './destinations.mjs';
import { answerFlows } from './flows.mjs';
import { history } from './history.mjs';
import { Schedules } from './schedules.mjs';
import { accept } from './websocket.mjs';
import { World } from './world.mjs';

const port = Number(process.argv[2] ?? 4100);
const scenario = process.argv[3] ?? 'healthy';
const world = new World({ scenario });
const schedules = new Schedules(scenario);
const root = join(import.meta.dirname, '../../scheduler/api/static');
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
};
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' ws: wss:; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

setInterval(() => world.step(), 100);

const send = (response, status, body) =>
  response
    .writeHead(status, { 'Content-Type': status < 400 ? 'application/json' : 'application/problem+json' })
    .end(JSON.stringify(body));
const fail = (response, status, title, detail, errors) =>
  send(response, status, { type: 'about:blank', title, status, detail, ...(errors ? { errors } : {}) });

function moment({ time, timezone, delay }) {
  if (delay !== undefined) {
    const units = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 };
    const text = String(delay).replace(/^PT/i, '').toLowerCase();
    if (!/^(\d+(\.\d+)?[dhms]?)+$/.test(text))
      return { field: 'delay', message: `“${delay}” is not a length of time. Accepted: seconds, 1d2h30m45s, PT5M.` };
    return (
      Date.now() +
      [...text.matchAll(/(\d+(?:\.\d+)?)([dhms]?)/g)].reduce(
        (sum, [, n, unit]) => sum + Number(n) * units[unit || 's'],
        0,
      )
    );
  }
  if (time === undefined) return Date.now();
  if (timezone && !Intl.supportedValuesOf('timeZone').concat('UTC').includes(timezone))
    return { field: 'timezone', message: `“${timezone}” is not an IANA time zone.` };
  if (/^\d+(\.\d+)?$/.test(time)) return Number(time) < 1e11 ? Number(time) * 1000 : Number(time);
  const local = /^\d{4}-\d\d-\d\dT[\d:.]+$/.test(time);
  const ms = Date.parse(local ? `${time}Z` : time);
  if (Number.isNaN(ms))
    return {
      field: 'time',
      message: `“${time}” is not a moment. Accepted: epoch seconds or milliseconds, ISO 8601, RFC 2822.`,
    };
  if (!local || !timezone) return ms;
  const shown = new Date(new Date(ms).toLocaleString('en-US', { timeZone: timezone }) + ' UTC').getTime();
  return ms - (shown - ms);
}

function schedule(body, response) {
  const due = moment(body);
  if (typeof due !== 'number') return fail(response, 400, 'Bad Request', due.message, [due]);
  if (body.webhook && !/^https?:/.test(body.webhook.url))
    return fail(response, 400, 'Bad Request', 'One field is wrong.', [
      { field: 'webhook.url', message: 'must begin with http:// or https://' },
    ]);
  const message = world.invent(due, body.channel ?? 'echo');
  Object.assign(message, {
    message: body.message,
    created: Date.now(),
    priority: body.priority ?? 'normal',
    webhook: body.webhook ?? null,
    job: body.job ?? null,
    type: body.job?.type ?? null,
    ...(body.id ? { id: body.id } : {}),
  });
  world.emit('scheduled', world.add(message));
  return send(response, 201, world.view(message));
}

function act(message, verb, body, response) {
  const need = verb === 'redrive' ? 'dead' : 'scheduled';
  if (message.status !== need)
    return fail(response, 409, 'Conflict', `The message is ${message.status}; only one that is ${need} can do that.`);
  if (verb === 'run') Object.assign(message, { due_at_ms: Date.now() });
  if (verb === 'redrive') Object.assign(message, { status: 'scheduled', due_at_ms: Date.now(), attempt: 0 });
  if (verb === 'DELETE') Object.assign(message, { status: 'cancelled', finished: Date.now() });
  if (verb === 'PATCH') {
    const due = body.time === undefined && body.delay === undefined ? message.due_at_ms : moment(body);
    if (typeof due !== 'number') return fail(response, 400, 'Bad Request', due.message, [due]);
    const { time, timezone, delay, ...rest } = body;
    Object.assign(message, rest, { due_at_ms: due });
  }
  message.updated = Date.now();
  world.emit({ run: 'updated', redrive: 'redriven', DELETE: 'cancelled', PATCH: 'updated' }[verb], message);
  return send(response, 200, world.view(message, true));
}

function route(request, response, url, body) {
  const { method } = request;
  if (scenario === 'token' && request.headers.authorization !== 'Bearer secret')
    return fail(response, 401, 'Unauthorized', 'Send the token.');
  if (scenario === 'redis-away')
    return fail(response, 503, 'Service Unavailable', 'Redis at 127.0.0.1:6379 does not answer (connection refused).');
  const [, , collection, id, verb] = url.pathname.split('/');
  if (collection === 'stats')
    return send(response, 200, {
      ...world.stats(),
      schedules: schedules.stats(),
      events_url: `ws://127.0.0.1:${port}/v1/events`,
    });
  if (collection === 'preview') {
    const due = moment(body);
    if (typeof due !== 'number') return fail(response, 400, 'Bad Request', due.message, [due]);
    return send(response, 200, {
      due_at: new Date(due).toISOString(),
      due_at_ms: due,
      local: null,
      timezone: body.timezone ?? 'UTC',
    });
  }
  if (collection === 'pause' || collection === 'resume')
    return send(response, 200, { paused: (world.paused = collection === 'pause') });
  if (collection === 'dead-letters') {
    const dead = [...world.messages.values()]
      .filter((m) => m.status === 'dead' && (!body.channel || m.channel === body.channel))
      .slice(0, body.limit ?? 1000);
    if (!body.dry_run)
      for (const message of dead) act(message, 'redrive', {}, { writeHead: () => ({ end: () => {} }) });
    return send(response, 200, { [body.dry_run ? 'would_redrive' : 'redriven']: dead.length });
  }
  if (collection === 'destinations' && scenario !== 'idle')
    return send(response, ...answerDestinations(id && decodeURIComponent(id), verb, body));
  if (collection === 'flows')
    return send(response, ...answerFlows(id && decodeURIComponent(id), verb, request.method, body));
  if (collection === 'history') {
    const [status, answer] = history(id && decodeURIComponent(id), url.searchParams, world);
    return send(response, status, answer);
  }
  if (collection === 'schedules') {
    const [status, answer] = schedules.answer(
      method,
      id && decodeURIComponent(id),
      verb,
      url.searchParams,
      body,
      world,
    );
    return send(response, status, answer);
  }
  if (collection !== 'messages') return fail(response, 404, 'Not Found', 'No such route.');
  if (!id) return method === 'POST' ? schedule(body, response) : send(response, 200, world.list(url.searchParams));
  const message = world.messages.get(decodeURIComponent(id));
  if (!message) return fail(response, 404, 'Not Found', `No message has the id ${decodeURIComponent(id)}.`);
  return method === 'GET'
    ? send(response, 200, world.view(message, true))
    : act(message, verb ?? method, body, response);
}

const server = createServer((request, response) => {
  const url = new URL(request.url, `http://127.0.0.1:${port}`);
  if (!url.pathname.startsWith('/v1/')) {
    const file = join(root, normalize(url.pathname === '/' ? '/index.html' : url.pathname));
    if (!existsSync(file)) return fail(response, 404, 'Not Found', 'No such file.');
    response.writeHead(200, {
      'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
      'Content-Security-Policy': CSP,
      'Cache-Control': 'no-cache',
    });
    return createReadStream(file).pipe(response);
  }
  let text = '';
  request.on('data', (chunk) => (text += chunk));
  request.on('end', () => route(request, response, url, text ? JSON.parse(text) : {}));
});

server.on('upgrade', (request, socket) => {
  const viewer = accept(request, socket);
  const after = new URL(request.url, 'http://x').searchParams.get('last_event_id');
  viewer.send({ type: 'hello' });
  const missed = after
    ? world.log.slice(world.log.findIndex((entry) => entry.event_id === after) + 1)
    : world.log.slice(-20);
  if (missed.length) viewer.send(missed);
  world.listeners.add(viewer.send);
  viewer.onClose(() => world.listeners.delete(viewer.send));
});

server.listen(port, '127.0.0.1', () => console.log(`mock (${scenario}) on http://127.0.0.1:${port}`));
