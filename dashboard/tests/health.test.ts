import { describe, expect, it } from 'vitest';
import { assess, DeadWatch, TREND_WINDOW_MS } from '../src/lib/health';
import { notes } from '../src/lib/notes';
import type { Failure, HealthInput } from '../src/lib/health';
import type { Stats } from '../src/lib/types';

const NOW = Date.UTC(2027, 0, 1);

const HEALTHY: Stats = {
  paused: false,
  scheduled: { high: 1, normal: 2, low: 0, total: 3 },
  due: 0,
  retrying: 0,
  processing: 0,
  dead: 0,
  oldest_due_age_ms: null,
  next_due_at: new Date(NOW + 72_000).toISOString(),
  throughput: { delivered_per_s: 0, failed_per_s: 0, accepted_per_s: 0 },
  lateness_ms: { p50: null, p99: null },
  servers: [{ name: 'a', role: 'all', last_beat_age_ms: 300 }],
};

function health(stats: Partial<Stats>, more: Partial<HealthInput> = {}) {
  return assess({ stats: { ...HEALTHY, ...stats }, failure: null, trend: null, now: NOW, ...more });
}

describe('the health sentence', () => {
  it('says that all is well, and when the next message is due', () => {
    expect(health({})).toMatchObject({
      level: 'ok',
      headline: 'Healthy: the next message is due in 1 min 12 s.',
      detail: '3 messages scheduled, nothing overdue.',
    });
  });

  it('says how punctual delivery is', () => {
    const found = health({ throughput: { delivered_per_s: 212 }, lateness_ms: { p50: 1.2, p99: 4.1 } });
    expect(found).toMatchObject({ level: 'ok', headline: 'Delivering on time: 212 per second.' });
    expect(found.detail).toBe('Half of them within 1.2 ms of their moment, 99 % within 4.1 ms.');
  });

  it('speaks of the next message rather than of a rate below one per second', () => {
    expect(health({ throughput: { delivered_per_s: 0.05 } }).code).toBe('waiting');
  });

  it('offers a first message when there is none', () => {
    const found = health({ scheduled: { total: 0 }, next_due_at: null });
    expect(found).toMatchObject({ code: 'idle', level: 'ok', link: { href: '#/schedule' } });
  });

  it.each<[Failure['kind'], string, RegExp, RegExp]>([
    ['redis', 'redis-away', /Redis is away/, /Start Redis again/],
    ['unreachable', 'unreachable', /does not answer/, /make run/],
    ['auth', 'auth', /token/, /API_AUTH/],
    ['error', 'error', /error/, /logs/],
  ])('puts a failure (%s) before anything else and says what to do', (kind, code, headline, remedy) => {
    const found = health({ paused: true }, { failure: { kind, detail: 'why' } });
    expect(found.code).toBe(code);
    expect(found.headline).toMatch(headline);
    expect(found.remedy).toMatch(remedy);
  });

  it('names the destination that takes no more, when the oldest message waits for it', () => {
    const held_back = {
      messages: 470,
      oldest_age_ms: 240_000,
      destinations: [{ destination: 'slow.example:443', put_off: 900, oldest_age_ms: 240_000 }],
    };
    const found = health({ held_back, oldest_due_age_ms: 240_000, due: 3 });
    expect(found).toMatchObject({ code: 'held-back', level: 'warn' });
    expect(found.headline).toBe(
      'slow.example:443 takes no more for now: 470 messages are put off, the oldest due for 4 min.',
    );
    const two = { ...held_back, destinations: [...held_back.destinations, { destination: 'b:80', put_off: 1 }] };
    expect(health({ held_back: two }).headline).toMatch(/^2 destinations take no more/);
    expect(health({ held_back, oldest_due_age_ms: 300_000, due: 3 }).code).toBe('behind');
    expect(health({ held_back: { ...held_back, oldest_age_ms: 900 } }).code).toBe('waiting');
    const note = notes({ ...HEALTHY, held_back }, 'behind').map((one) => one.text);
    expect(note).toEqual(['470 messages are put off until slow.example:443 takes more.']);
    expect(notes({ ...HEALTHY, held_back }, 'held-back')).toEqual([]);
  });

  it('names the lanes that no server serves, and takes a server that restarts for none of it', () => {
    const lane = (name: string, oldest_due_age_ms: number | null, served = false) => ({
      lane: name,
      scheduled: 3,
      due: 2,
      oldest_due_age_ms,
      served,
    });
    const lanes = [lane('job:slow', 60_000), lane('webhook', 7_000, true), lane('echo', 900), lane('job:later', null)];
    const found = health({ lanes, oldest_due_age_ms: 60_000, due: 7 });
    expect(found).toMatchObject({ code: 'unserved', level: 'warn' });
    expect(found.headline).toBe('No living server serves job:slow: 2 messages are due, the oldest for 1 min.');
    expect(health({ lanes: lanes.slice(1) }).code).toBe('waiting');
    const many = ['a', 'b', 'c', 'd', 'e'].map((name) => lane(name, 60_000));
    expect(health({ lanes: many }).headline).toMatch(/serves a, b, c and 2 more lanes: 10 messages are due/);
    const note = notes({ ...HEALTHY, lanes }, 'paused').map((one) => one.text);
    expect(note).toEqual(['No living server serves job:slow: what is due there waits.']);
    expect(notes({ ...HEALTHY, lanes }, 'unserved')).toEqual([]);
  });

  it('says that Redis is full, and not that it is about to be', () => {
    const redis = { full: true, used_memory: 1_048_576, maxmemory: 1_048_576, maxmemory_policy: 'noeviction' };
    expect(health({ redis })).toMatchObject({ code: 'redis-full', level: 'bad' });
    expect(notes({ ...HEALTHY, redis }, 'redis-full')).toEqual([]);
    expect(notes({ ...HEALTHY, redis }, 'waiting')).toHaveLength(1);
  });

  it('takes what Redis does not tell for unknown, not for bad', () => {
    const redis = { persistence: 'unknown', maxmemory_policy: 'unknown', used_memory: null, maxmemory: null };
    expect(notes({ ...HEALTHY, redis }, 'waiting')).toEqual([]);
  });

  it('tells of clocks that disagree once per server, and of logs that cannot be written', () => {
    const servers = [
      { name: 'a/scheduler', role: 'scheduler', last_beat_age_ms: 1, clock_skew_ms: 3_600_000 },
      { name: 'a/api-7', role: 'api', last_beat_age_ms: 1, clock_skew_ms: 3_599_990, log_lines_lost: 12 },
      { name: 'b/scheduler', role: 'scheduler', last_beat_age_ms: 1, clock_skew_ms: -2_000, log_lines_lost: 0 },
      { name: 'c/scheduler', role: 'scheduler', last_beat_age_ms: 1, clock_skew_ms: 900 },
    ];
    const texts = notes({ ...HEALTHY, servers }, 'waiting').map((note) => note.text);
    expect(texts).toHaveLength(3);
    expect(texts[0]).toMatch(/^The clock of a is 1 h ahead of Redis's/);
    expect(texts[1]).toMatch(/^The clock of b is 2(\.0)? s behind Redis's/);
    expect(texts[2]).toBe('a/api-7 could not write 12 log lines: its disk may be full. Deliveries go on.');
  });

  it('notices that no scheduler is alive: none there, silent ones, or servers that only take messages', () => {
    const silent = { name: 'a', role: 'all', last_beat_age_ms: 60_000 };
    const apiOnly = { name: 'b', role: 'api', last_beat_age_ms: 100 };
    for (const servers of [[], [silent], [apiOnly], [silent, apiOnly]]) {
      expect(health({ servers, due: 4 })).toMatchObject({ code: 'no-scheduler', level: 'bad' });
    }
    expect(health({ servers: [silent, { name: 'c', role: 'worker', last_beat_age_ms: 0 }] }).level).toBe('ok');
  });

  it('notices a scheduler that runs and delivers nothing, which ones, and whether others deliver', () => {
    const well = { name: 'a/scheduler', role: 'scheduler', last_beat_age_ms: 300, failure: null };
    const stuck = { ...well, name: 'b/scheduler', failure: 'no progress for 42 s' };
    const one = health({ servers: [well, stuck] });
    expect(one).toMatchObject({ code: 'hanging', level: 'warn' });
    expect(one.headline).toBe('1 of 2 schedulers is running, but stuck.');
    expect(one.detail).toBe('b/scheduler: no progress for 42 s. The others deliver.');
    expect(one.remedy).toMatch(/Restart that server/);
    const all = health({ servers: [stuck], paused: true });
    expect(all).toMatchObject({ code: 'hanging', level: 'bad', detail: 'b/scheduler: no progress for 42 s.' });
    expect(all.headline).toMatch(/Nothing is delivered/);
    expect(health({ servers: [well, { ...stuck, last_beat_age_ms: 60_000 }] }).level).toBe('ok');
  });

  it('does not call a service dead that does not list its servers', () => {
    const { servers: _, ...rest } = HEALTHY;
    expect(assess({ stats: rest, failure: null, trend: null, now: NOW }).level).toBe('ok');
  });

  it('says that delivery is paused, and how much waits', () => {
    const found = health({ paused: true, due: 312, oldest_due_age_ms: 52_000 });
    expect(found).toMatchObject({ code: 'paused', level: 'warn' });
    expect(found.detail).toBe('312 messages are due and waiting, the oldest for 52 s.');
  });

  it('says that dead letters grow, the worse the larger their share', () => {
    const few = health({ dead: 12, throughput: { delivered_per_s: 1_000 } }, { trend: { overMs: 60_000, added: 1 } });
    expect(few).toMatchObject({ code: 'dead-growing', level: 'warn', headline: '12 dead letters, and growing.' });
    const many = health({ dead: 12, throughput: { delivered_per_s: 1 } }, { trend: { overMs: 60_000, added: 4 } });
    expect(many).toMatchObject({ level: 'bad', detail: expect.stringMatching(/^4 more in the last 1 min/) });
  });

  it('says how far behind it is, and when it will have caught up', () => {
    const found = health({
      due: 8_200,
      oldest_due_age_ms: 42_000,
      throughput: { delivered_per_s: 1_100, accepted_per_s: 280 },
    });
    expect(found).toMatchObject({ code: 'behind', level: 'warn' });
    expect(found.headline).toBe('Behind: 8\u202f200 messages are due, the oldest for 42 s.');
    expect(found.detail).toContain('caught up in about 10 s');
  });

  it('forgives a backlog that is being worked off in time', () => {
    expect(health({ due: 90, oldest_due_age_ms: 120, throughput: { delivered_per_s: 900 } }).level).toBe('ok');
  });

  it('says that delivery is late', () => {
    const found = health({ throughput: { delivered_per_s: 5 }, lateness_ms: { p50: 20, p99: 2_500 } });
    expect(found).toMatchObject({ code: 'late', level: 'warn' });
  });

  it('survives figures that are missing', () => {
    expect(assess({ stats: { retrying: 0 }, failure: null, trend: null, now: NOW }).code).toBe('idle');
    expect(assess({ stats: null, failure: null, trend: null, now: NOW }).code).toBe('loading');
    expect(notes({ retrying: 0 }, 'idle')).toEqual([]);
  });
});

describe('the notes beneath', () => {
  it('tell what threatens the promises', () => {
    const redis = { persistence: 'none', maxmemory_policy: 'allkeys-lru', maxmemory: 100, used_memory: 95 };
    const found = notes({ ...HEALTHY, dead: 2, redis }, 'waiting');
    expect(found).toHaveLength(4);
    expect(found[0]?.href).toBe('#/messages?status=dead');
    expect(found.map((note) => note.text).join(' ')).toMatch(/2 dead letters.*appendonly.*noeviction.*95 B of 100 B/);
  });

  it('do not repeat the headline', () => {
    const silent = [{ name: 'a', last_beat_age_ms: 60_000 }];
    expect(notes({ ...HEALTHY, dead: 2, servers: silent }, 'dead-growing')).toHaveLength(1);
    expect(notes({ ...HEALTHY, servers: silent }, 'no-scheduler')).toHaveLength(0);
  });
});

describe('what does not stop deliveries', () => {
  it('is said of schedules that are overdue or fail', () => {
    const schedules = { active: 3, paused: 0, ended: 0, overdue: 1, oldest_overdue_age_ms: 42_000, failing: 2 };
    expect(notes({ ...HEALTHY, schedules }, 'waiting').map((note) => note.text)).toEqual([
      '1 schedule is overdue, the longest by 42 s: no server plans the next run.',
      'The last run of 2 schedules failed.',
    ]);
    expect(notes({ ...HEALTHY, schedules: { ...schedules, overdue: 0, failing: 0 } }, 'waiting')).toEqual([]);
  });

  it('is said of messages that wait at their flow keys for a while', () => {
    const flow = { keys: 1, waiting: 3, oldest_age_ms: 90_000 };
    const text = '3 messages wait until the flow key allows it, the longest for 1 min 30 s.';
    expect(notes({ ...HEALTHY, flow }, 'waiting')).toEqual([{ text, href: '#/flows' }]);
    expect(notes({ ...HEALTHY, flow: { ...flow, oldest_age_ms: 90 } }, 'waiting')).toEqual([]);
  });

  it('is said of a history whose database does not answer, or that is behind', () => {
    const archive = { messages: 7, bytes: 900, max_bytes: 1e6, oldest_age_ms: 400, dropped: 0, away: [] as string[] };
    expect(notes({ ...HEALTHY, archive }, 'waiting')).toEqual([]);
    const away = notes({ ...HEALTHY, archive: { ...archive, away: ['a/scheduler'] } }, 'waiting');
    expect(away[0]?.text).toMatch(/does not answer a\/scheduler: 7 finished messages wait for it, 900 B of 1.0 MB/);
    const late = notes({ ...HEALTHY, archive: { ...archive, oldest_age_ms: 60_000 } }, 'waiting');
    expect(late[0]?.text).toMatch(/is behind/);
  });
});

describe('the watch on dead letters', () => {
  it('says by how much they grew while the page was open', () => {
    const watch = new DeadWatch();
    watch.add(0, 5);
    expect(watch.trend()).toBeNull();
    watch.add(2_000, 9);
    expect(watch.trend()).toEqual({ overMs: 2_000, added: 4 });
  });

  it('forgets growth after five minutes', () => {
    const watch = new DeadWatch();
    watch.add(0, 5);
    watch.add(1_000, 9);
    watch.add(2_000 + TREND_WINDOW_MS, 9);
    expect(watch.trend()).toBeNull();
  });

  it('begins anew when some were redriven', () => {
    const watch = new DeadWatch();
    watch.add(0, 5);
    watch.add(1_000, 9);
    watch.add(2_000, 0);
    expect(watch.trend()).toBeNull();
    watch.add(3_000, 1);
    expect(watch.trend()).toEqual({ overMs: 1_000, added: 1 });
  });
});
