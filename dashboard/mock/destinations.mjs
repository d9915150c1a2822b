// Made-up destinations of webhooks and their circuit breakers.
const iso = (ms) => new Date(ms).toISOString();
const base = { by_hand: false, failing_since: null, last_error: null, opened_at: null, closed_at: null, note: null };
const all = new Map(
  [
    { ...base, id: 'https:hooks.slow.example:443', state: 'open', failures: 14, last_error: 'HTTP 502' },
    { ...base, id: 'https:erp.example.com:8443', state: 'open', by_hand: true, failures: 0, note: 'moves on Sunday' },
    { ...base, id: 'http:10.0.0.7:80', state: 'closed', failures: 2, last_error: 'connection refused' },
  ].map((one) => [one.id, one]),
);

function view(one) {
  const probes = one.state === 'open' && !one.by_hand;
  return {
    ...one,
    failing_since: one.failures ? iso(Date.now() - 95_000) : null,
    next_probe_at: probes ? iso(Math.ceil(Date.now() / 30_000) * 30_000) : null,
    probe_interval_ms: probes ? 30_000 : null,
    held_until: null,
  };
}

/** [status, body] of a request to /v1/destinations. */
export function answerDestinations(id, verb, body) {
  if (!id) return [200, { destinations: [...all.values()].map(view), more: false }];
  const one = all.get(id) ?? { ...base, id, failures: 0 };
  Object.assign(one, { state: verb === 'open' ? 'open' : 'closed', by_hand: verb === 'open', note: body.note ?? null });
  all.set(id, one);
  return [200, view(one)];
}
