// Made-up schedules.  Cron is not reckoned here: whatever it says, it runs every five minutes.
const iso = (ms) => new Date(ms).toISOString();
const UNITS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 };

const run = (at_ms) => ({ at: iso(at_ms), at_ms, local: iso(at_ms).replace('.000Z', '+00:00') });

export class Schedules {
  constructor(scenario) {
    this.all = new Map();
    if (scenario === 'idle') return;
    this.add({ id: 'nightly-report', cron: '30 2 * * *', timezone: 'Europe/Berlin', labels: ['reports'] });
    this.add({ id: 'sync-crm', every: '90s', channel: 'job', job: { type: 'sync_crm' }, message: { full: false } });
    this.add({ id: 'rates', cron: '*/5 * * * *', paused: true, note: 'the bank is closed' });
    this.add({ id: 'water-the-plants', cron: '0 9 * * mon,thu', channel: 'echo', message: 'Water the plants' });
    this.all.get('sync-crm').trouble = 'dead';
    this.all.get('water-the-plants').trouble = scenario === 'overdue' ? 'overdue' : null;
  }

  add({ id = `s${Date.now()}`, paused = false, ...body }) {
    const schedule = {
      channel: body.webhook ? 'webhook' : 'echo',
      message: { report: 'sales' },
      priority: 'normal',
      labels: [],
      note: null,
      ...body,
      id,
      status: paused ? 'paused' : 'active',
      created: Date.now() - 40 * UNITS.d,
      trouble: null,
    };
    this.all.set(id, schedule);
    return schedule;
  }

  step({ every }) {
    const [, number, unit] = /^(\d+)([dhms]?)$/.exec(every ?? '') ?? [null, 5, 'm'];
    return Number(number) * UNITS[unit || 's'];
  }

  preview(query) {
    const cron = query.get('cron');
    if (cron !== null && !/^@|^(\S+ ){4,5}\S+$/.test(cron))
      return { problem: { field: 'cron', message: 'An expression has five fields, or six with the second first.' } };
    const step = this.step({ every: query.get('every') });
    const first = Math.ceil((Date.now() + 1) / step) * step;
    return { runs: Array.from({ length: Number(query.get('count') ?? 5) }, (_, n) => run(first + n * step)) };
  }

  view(schedule, full = false) {
    const { created, trouble, ...rest } = schedule;
    const step = this.step(schedule);
    const now = Date.now();
    const next = trouble === 'overdue' ? now - 42_000 : Math.ceil((now + 1) / step) * step;
    const active = schedule.status === 'active';
    const outcomes = Array.from({ length: full ? 20 : 10 }, (_, n) => (n % 7 === 4 ? 'skipped' : 'delivered'));
    if (trouble === 'dead') outcomes[0] = outcomes[1] = 'dead';
    return {
      cron: null,
      every: null,
      timezone: null,
      start: null,
      end: null,
      max_runs: null,
      jitter: null,
      catch_up: { policy: 'latest', window: '1h', limit: 100 },
      overlap: 'skip',
      ...rest,
      overdue: trouble === 'overdue',
      running: null,
      buffered: null,
      next_run: active ? run(next) : null,
      counters: {
        made: 412,
        delivered: 405,
        dead: trouble === 'dead' ? 2 : 0,
        cancelled: 0,
        caught_up: 3,
        skipped: { overlap: 5, missed: 0, changed: 0 },
      },
      last_runs: outcomes.map((outcome, n) => ({
        scheduled_for: iso(next - (n + 1) * step),
        outcome,
        reason: outcome === 'skipped' ? 'overlap' : null,
        origin: n === 3 ? 'catch_up' : 'plan',
        message_id: outcome === 'skipped' ? null : `${schedule.id}:${next - (n + 1) * step}`,
        ended_at: iso(next - n * step),
        count: 1,
      })),
      ...(full ? { next_runs: active ? Array.from({ length: 5 }, (_, n) => run(next + n * step)) : [] } : {}),
      created_at: iso(created),
      updated_at: iso(created),
    };
  }

  list(query) {
    const found = [...this.all.values()].filter(
      (one) =>
        (!query.get('status') || one.status === query.get('status')) &&
        (!query.get('label') || one.labels.includes(query.get('label'))),
    );
    return { schedules: found.map((one) => this.view(one)), next_cursor: null };
  }

  stats() {
    const views = [...this.all.values()].map((one) => this.view(one));
    const count = (status) => views.filter((one) => one.status === status).length;
    const overdue = views.filter((one) => one.overdue).length;
    return {
      active: count('active'),
      paused: count('paused'),
      ended: count('ended'),
      overdue,
      oldest_overdue_age_ms: overdue ? 42_000 : null,
      failing: views.filter((one) => one.last_runs[0].outcome === 'dead').length,
    };
  }

  /** [status, body] of a request to /v1/schedules. */
  answer(method, id, verb, query, body, world) {
    if (!id && method === 'POST') return [201, this.view(this.add(body), true)];
    if (!id) return [200, this.list(query)];
    if (id === 'preview') {
      const found = this.preview(query);
      return found.problem
        ? [400, { title: 'Bad Request', detail: found.problem.message, errors: [found.problem] }]
        : [200, found];
    }
    const schedule = this.all.get(id);
    if (!schedule) return [404, { title: 'Not Found', detail: `No schedule has the id ${id}.` }];
    if (verb === 'run') return [201, world.view(world.add(world.invent(Date.now(), schedule.channel)))];
    if (verb === 'backfill')
      return [200, { runs: 24, existing: 3, more: false, [body.dry_run ? 'would_make' : 'made']: 21 }];
    if (verb) Object.assign(schedule, { status: verb === 'pause' ? 'paused' : 'active', note: body.note ?? null });
    if (method === 'PATCH') Object.assign(schedule, body);
    if (method === 'DELETE') this.all.delete(id);
    return [200, this.view(schedule, true)];
  }
}
