// A make-believe service: messages that fall due, are delivered, retried or die.  One `step()` per 100 ms.
const CHANNELS = ['echo', 'webhook', 'job'];
const JOBS = ['send_email', 'resize_image', 'sync_crm'];
const PRIORITIES = ['high', 'normal', 'normal', 'normal', 'low'];
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const HISTORY_STEP = 10_000;

const pick = (list) => list[Math.floor(Math.random() * list.length)];
const iso = (ms) => new Date(ms).toISOString();

function makeId(ms) {
  let number = (BigInt(Math.floor(ms)) << 53n) | BigInt(Math.floor(Math.random() * 2 ** 53));
  let text = '';
  for (let digit = 0; digit < 16; digit += 1) {
    text = ALPHABET[Number(number % 62n)] + text;
    number /= 62n;
  }
  return text;
}

export class World {
  constructor({ pending = 400, rate = 8, dead = 7, scenario = 'healthy' } = {}) {
    this.scenario = scenario;
    this.rate = rate;
    this.messages = new Map();
    this.order = [];
    this.listeners = new Set();
    this.eventNumber = 0;
    this.log = [];
    this.paused = scenario === 'paused';
    this.extra = scenario === 'idle' ? 0 : 12_000;
    const now = Date.now();
    this.startedAt = now - 4.2 * 3_600_000;
    this.history = this.inventHistory(now);
    this.bucket = { at: now, delivered: 0, failed: 0, accepted: 0 };
    if (scenario === 'idle') return;
    for (let n = 0; n < pending; n += 1) this.add(this.invent(now + 1_500 + n * n * 55 + Math.random() * 4_000));
    for (let n = 0; n < dead; n += 1)
      this.kill(this.add(this.invent(now - n * 900_000 - 30_000, 'webhook')), now - n * 900_000);
  }

  inventHistory(now) {
    const points = [];
    for (let n = 90; n > 0; n -= 1) {
      const wave =
        this.scenario === 'idle' ? 0 : 140 + 45 * Math.sin(n / 9) + 25 * Math.sin(n / 2.3) + Math.random() * 22;
      const burst = n > 38 && n < 44 && wave ? 3.1 : 1;
      points.push({
        at: Math.floor(now / HISTORY_STEP) * HISTORY_STEP - n * HISTORY_STEP,
        delivered: Math.round(wave * burst * 10),
        failed: wave ? Math.round(Math.random() * 14 + (n < 22 && n > 15 ? 160 : 0)) : 0,
        accepted: Math.round(wave * (burst > 1 ? 1 : 1.04) * 10),
        p50: wave ? 0.6 + Math.random() * 0.4 + (burst > 1 ? 5 : 0) : null,
        p99: wave ? 2.1 + Math.random() * 1.4 + (burst > 1 ? 31 : 0) : null,
      });
    }
    return points;
  }

  invent(dueAt, channel = pick(CHANNELS)) {
    const now = Date.now();
    const type = channel === 'job' ? pick(JOBS) : null;
    return {
      id: makeId(now),
      status: 'scheduled',
      channel,
      message:
        channel === 'echo'
          ? `Good morning number ${Math.floor(Math.random() * 900)}`
          : { order: Math.floor(Math.random() * 9e4), customer: 'c_1087', items: ['tea', 'bread'] },
      due_at_ms: Math.round(dueAt),
      priority: pick(PRIORITIES),
      attempt: 0,
      max_attempts: 5,
      created: Math.min(now, dueAt) - 400_000,
      updated: now,
      last_error: null,
      type,
      webhook:
        channel === 'webhook'
          ? { url: `https://hooks.example.com/orders/${Math.floor(Math.random() * 90)}`, method: 'POST', timeout: 10 }
          : null,
      job: type ? { type } : null,
      attempts: [],
    };
  }

  add(message) {
    this.messages.set(message.id, message);
    return message;
  }

  kill(message, at) {
    for (let attempt = 1; attempt <= 5; attempt += 1) this.note(message, attempt, at - (5 - attempt) * 60_000, true);
    Object.assign(message, { status: 'dead', attempt: 5, updated: at });
  }

  note(message, attempt, at, failed) {
    message.last_error = failed ? 'HTTP 503 from hooks.example.com' : null;
    message.attempts.push({
      attempt,
      started_at: iso(at),
      duration_ms: 20 + Math.random() * 180,
      lateness_ms: 0.4 + Math.random() * 2,
      outcome: failed ? 'failed' : 'delivered',
      ...(message.channel === 'webhook'
        ? {
            status_code: failed ? 503 : 200,
            response: failed ? '<h1>Service Unavailable</h1>\n<p>upstream connect error</p>' : '{"ok":true}',
          }
        : {}),
      ...(failed ? { error: message.last_error } : {}),
    });
  }

  step(now = Date.now()) {
    if (this.scenario === 'redis-away' || this.scenario === 'no-scheduler') return;
    if (this.scenario !== 'idle') {
      const count = Math.random() < this.rate / 10 ? 1 + Math.floor(this.rate / 10) : 0;
      for (let n = 0; n < count; n += 1)
        this.emit('scheduled', this.add(this.invent(now + 200 + Math.random() ** 4 * 90_000)));
    }
    if (!this.paused) for (const message of this.messages.values()) this.advance(message, now);
    if (now - this.bucket.at >= HISTORY_STEP) this.closeBucket(now);
  }

  advance(message, now) {
    if (message.status === 'processing' && now >= message.until) this.finish(message, now);
    if (message.status !== 'scheduled' || message.due_at_ms > now) return;
    Object.assign(message, {
      status: 'processing',
      attempt: message.attempt + 1,
      updated: now,
      until: now + (message.channel === 'echo' ? 0 : 60 + Math.random() * 1500),
    });
    this.emit('claimed', message);
  }

  finish(message, now) {
    const fails = message.channel === 'webhook' && Math.random() < (this.scenario === 'dead-growing' ? 0.8 : 0.15);
    const dead = fails && (message.attempt >= 3 || this.scenario === 'dead-growing');
    this.note(message, message.attempt, now - 100, fails);
    message.updated = now;
    if (!fails) Object.assign(message, { status: 'delivered', finished: now });
    else if (dead) message.status = 'dead';
    else Object.assign(message, { status: 'scheduled', due_at_ms: now + 2_000 * message.attempt });
    this.bucket[fails ? 'failed' : 'delivered'] += 1;
    this.emit(fails ? (dead ? 'dead' : 'retried') : 'delivered', message);
  }

  closeBucket(now) {
    const spread = 0.8 + Math.random() * 0.4;
    const factor = 180;
    const { delivered, failed, accepted } = this.bucket;
    this.history.push({
      at: Math.floor(now / HISTORY_STEP) * HISTORY_STEP - HISTORY_STEP,
      delivered: Math.round(delivered * factor * 0.1),
      failed,
      accepted: accepted * 18,
      p50: 0.8 * spread,
      p99: 2.9 * spread,
    });
    this.history.shift();
    this.bucket = { at: now, delivered: 0, failed: 0, accepted: 0 };
  }

  emit(event, message) {
    if (event === 'scheduled') this.bucket.accepted += 1;
    this.eventNumber += 1;
    const entry = {
      type: 'event',
      event_id: `${Date.now()}-${this.eventNumber}`,
      id: message.id,
      event,
      channel: message.channel,
      attempt: message.attempt,
      at: Date.now(),
    };
    this.log.push(entry);
    if (this.log.length > 500) this.log.shift();
    for (const listener of this.listeners) listener(entry);
  }

  view(message, full = false) {
    const { created, updated, attempts, until, finished, ...rest } = message;
    return {
      ...rest,
      due_at: iso(message.due_at_ms),
      created_at: iso(created),
      updated_at: iso(updated),
      ...(finished ? { finished_at: iso(finished) } : {}),
      ...(full ? { attempts } : {}),
    };
  }

  list(query) {
    const wanted = ([key, value]) => !query.get(key) || value === query.get(key);
    const found = [...this.messages.values()].filter((m) =>
      Object.entries({ status: m.status, channel: m.channel, type: m.type, priority: m.priority }).every(wanted),
    );
    found.sort(
      query.get('status') && query.get('status') !== 'scheduled'
        ? (a, b) => b.updated - a.updated
        : (a, b) => a.due_at_ms - b.due_at_ms,
    );
    const from = Number(query.get('cursor') ?? 0);
    const limit = Number(query.get('limit') ?? 50);
    return {
      messages: found.slice(from, from + limit).map((m) => this.view(m)),
      next_cursor: from + limit < found.length ? String(from + limit) : null,
    };
  }

  heldBack() {
    if (this.scenario !== 'held-back') return { messages: 0, oldest_age_ms: null, destinations: [] };
    const oldest_age_ms = Date.now() - this.startedAt;
    return {
      messages: 4_700,
      oldest_age_ms,
      destinations: [
        { destination: 'hooks.slow.example:443', put_off: 9_120, oldest_age_ms },
        { destination: '[2001:db8::7]:8080', put_off: 14, oldest_age_ms: 8_200 },
      ],
    };
  }

  lanes() {
    if (this.scenario !== 'unserved') return [];
    const oldest_due_age_ms = Date.now() - this.startedAt;
    return [{ lane: 'job:transcode', scheduled: 41, due: 12, oldest_due_age_ms, served: false }];
  }

  stats() {
    const now = Date.now();
    const count = (status) => [...this.messages.values()].filter((m) => m.status === status).length;
    const waiting = [...this.messages.values()].filter((m) => m.status === 'scheduled');
    const due = waiting.filter((m) => m.due_at_ms <= now);
    const next = Math.min(...waiting.map((m) => m.due_at_ms));
    const by = (priority) => waiting.filter((m) => m.priority === priority).length;
    const last = this.history.at(-1);
    const away = this.scenario === 'no-scheduler' ? 48_000 : 400 + Math.random() * 700;
    return {
      redis_time: iso(now),
      paused: this.paused,
      scheduled: {
        high: by('high') + Math.round(this.extra * 0.1),
        normal: by('normal') + Math.round(this.extra * 0.7),
        low: by('low') + Math.round(this.extra * 0.2),
        total: waiting.length + this.extra,
      },
      due: due.length,
      processing: count('processing'),
      dead: count('dead'),
      retrying: waiting.filter((m) => m.attempt > 0).length,
      finished: count('delivered') + count('cancelled') + this.extra * 8,
      finished_bytes: this.extra * 3_100,
      oldest_due_age_ms: due.length ? now - Math.min(...due.map((m) => m.due_at_ms)) : null,
      held_back: this.heldBack(),
      lanes: this.lanes(),
      next_due_at: Number.isFinite(next) ? iso(next) : null,
      throughput: {
        delivered_per_s: last.delivered / 10,
        failed_per_s: last.failed / 10,
        accepted_per_s: last.accepted / 10,
      },
      lateness_ms: { p50: last.p50, p99: last.p99 },
      history: this.history,
      servers: [
        {
          name: 'harbour-1',
          role: 'all',
          in_flight: count('processing'),
          last_beat_age_ms: away,
          version: '1.0.0',
          pid: 4211,
          host: 'harbour',
          started_at: iso(this.startedAt),
        },
        {
          name: 'harbour-2',
          role: 'worker',
          in_flight: 3,
          last_beat_age_ms: away + 220,
          failure: this.scenario === 'hanging' ? 'no progress for 42 s' : null,
          version: '1.0.0',
          pid: 4388,
          host: 'harbour',
          started_at: iso(this.startedAt + 60_000),
        },
        {
          name: 'quay-1',
          role: 'api',
          in_flight: 0,
          last_beat_age_ms: 700,
          version: '1.0.0',
          pid: 118,
          host: 'quay',
          started_at: iso(this.startedAt + 90_000),
        },
      ],
      redis: {
        version: '7.0.15',
        used_memory: 48_300_000,
        maxmemory: 0,
        maxmemory_policy: 'noeviction',
        persistence: this.scenario === 'no-scheduler' ? 'none' : 'aof',
      },
    };
  }
}
