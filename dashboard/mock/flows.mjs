// Made-up flow keys.
const iso = (ms) => new Date(ms).toISOString();

const none = { concurrency: null, rate: null, period_ms: null, ordered: false };
const flows = new Map(
  [
    { key: 'crm.example.com', limits: { ...none, rate: 600, period_ms: 60_000 }, rate: 'settings', used: 312 },
    { key: 'tenant-42', limits: { ...none, concurrency: 5 }, concurrency: 'message', waiting: 1_204, in_flight: 5 },
    { key: 'ledger', limits: { ...none, concurrency: 1, ordered: true }, concurrency: 'pinned', ordered: 'message' },
    { key: 'tenant-7', limits: none, paused: true, waiting: 31 },
  ].map((flow) => [flow.key, flow]),
);

function view({ key, limits, waiting = 0, in_flight = 0, paused = false, used, ...sources }) {
  return {
    key,
    scheduled: waiting + 40,
    waiting,
    in_flight,
    limits,
    sources: { concurrency: null, rate: null, ordered: null, ...sources },
    window: used === undefined ? null : { used, ends_at: iso(Math.ceil(Date.now() / 60_000) * 60_000) },
    paused,
    paused_until: null,
    oldest_due_at: waiting ? iso(Date.now() - 95_000) : null,
    next_at: null,
  };
}

function pin(key, limits) {
  const flow = flows.get(key) ?? { key, limits: none };
  const { period, ...given } = limits;
  for (const name of ['concurrency', 'rate', 'ordered']) {
    const pinned = limits[name] !== undefined;
    if (pinned || flow[name] === 'pinned') flow[name] = pinned ? 'pinned' : null;
  }
  flow.limits = { ...none, ...given, period_ms: given.rate ? 60_000 : null };
  flows.set(key, flow);
}

/** [status, body] of a request to /v1/flows. */
export function answerFlows(key, verb, method, limits) {
  if (!key) return [200, { flows: [...flows.values()].map(view), next_cursor: null }];
  if (method === 'PUT' && limits.rate && !limits.period)
    return [400, { title: 'Bad Request', detail: '', errors: [{ field: 'period', message: 'is missing' }] }];
  if (method === 'PUT') pin(key, limits);
  if (method === 'DELETE') pin(key, {});
  const flow = flows.get(key);
  if (!flow) return [404, { title: 'Not Found', detail: 'No flow key has this name.' }];
  if (verb === 'pause' || verb === 'resume') flow.paused = verb === 'pause';
  if (verb === 'reset' && flow.used !== undefined) flow.used = 0;
  return [200, view(flow)];
}
