// A made-up history: 130 messages of the last days, and figures of waves.
const iso = (ms) => new Date(ms).toISOString();
const STEPS = { hour: 3_600_000, day: 86_400_000 };
const SHAPES = { echo: [300, 0], job: [900, 0.004], webhook: [1500, 0.02] };
let rows = null;

function invent(world) {
  return Array.from({ length: 130 }, (_, n) => {
    const at = world.startedAt - n * 1_900_000;
    const message = world.add({ ...world.invent(at), status: n % 9 ? 'delivered' : 'dead', updated: at });
    world.messages.delete(message.id);
    world.note(message, 1, at, n % 9 === 0);
    return { ...message, attempt: 1 };
  });
}

function summary(query) {
  const step = STEPS[query.get('by') ?? 'hour'];
  const slots = [];
  for (let at = Date.parse(query.get('since')); at < Date.now(); at += step) {
    for (const [channel, [most, failing]] of Object.entries(SHAPES)) {
      if (query.get('channel') && query.get('channel') !== channel) continue;
      const wave = 1 + 0.6 * Math.sin(at / step / 4) + Math.random() / 5;
      const delivered = Math.round((most * wave * step) / STEPS.hour);
      const dead = Math.round(delivered * failing * Math.random() * 2);
      slots.push({
        at: iso(at),
        channel,
        delivered,
        dead,
        cancelled: channel === 'echo' ? 3 : 0,
        failure_rate: dead / (dead + delivered),
        lateness_ms: { p50: 0.6 + Math.random(), p99: 2 + 9 * Math.random() * wave },
      });
    }
  }
  return { by: query.get('by') ?? 'hour', since: query.get('since'), until: iso(Date.now()), slots };
}

/** [status, body] of a request to /v1/history. */
export function history(id, query, world) {
  if (world.scenario === 'idle') return [404, { title: 'Not Found', detail: 'There is no history.' }];
  if (id === 'summary') return [200, summary(query)];
  rows ??= invent(world);
  const from = Number(query.get('cursor') ?? 0);
  const limit = Number(query.get('limit') ?? 50);
  const found = rows.filter((row) =>
    ['status', 'channel', 'type'].every((key) => !query.get(key) || row[key] === query.get(key)),
  );
  return [
    200,
    {
      messages: found.slice(from, from + limit).map((row) => world.view(row)),
      next_cursor: from + limit < found.length ? String(from + limit) : null,
    },
  ];
}
