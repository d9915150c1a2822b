import { formatBytes, formatCount, formatRate, plural } from './format';
import { formatCountdown, formatSpan, parseMoment } from './time';
import type { LaneInfo, ServerInfo, Stats } from './types';

/** A server that has not reported for so long is taken for dead (ms); servers report every second or so. */
export const STALE_BEAT_MS = 10_000;
/** A message that has waited so long past its moment means that delivery is behind (ms). */
export const BEHIND_MS = 5_000;
/** The slowest hundredth may be so late before the page calls it late (ms). */
export const LATE_P99_MS = 500;
/** Such a share of what ends as dead letters, while they grow, is bad and not only worth a look. */
const DEAD_SHARE = 0.01;
/** From so many deliveries per second on, their rate says more than the moment of the next. */
const STEADY_PER_S = 1;
/** So many lanes are named in a sentence. */
const NAMED_LANES = 3;

export type Level = 'ok' | 'warn' | 'bad' | 'unknown';

/** What Redis does not tell, as a managed one may not. */
export const UNKNOWN = 'unknown';

/** What the top of the page says.  `code` names the situation; it changes only when the situation does. */
export interface Health {
  code: string;
  level: Level;
  headline: string;
  /** One sentence of figures. */
  detail: string;
  /** What to do about it; empty when there is nothing to do. */
  remedy: string;
  link?: { href: string; label: string };
}

export interface Failure {
  kind: 'unreachable' | 'redis' | 'auth' | 'error';
  detail: string;
}

/** How the number of dead letters moved while this page was open. */
export interface DeadTrend {
  /** More than so long ago (ms) … */
  overMs: number;
  /** … there were so many fewer. */
  added: number;
}

export interface HealthInput {
  stats: Stats | null;
  failure: Failure | null;
  trend: DeadTrend | null;
  /** ms, by the service's clock. */
  now: number;
}

export function isAlive(server: ServerInfo): boolean {
  return (server.last_beat_age_ms ?? 0) < STALE_BEAT_MS;
}

/** It reports, so it runs; and delivers nothing all the same. */
export function hangs(server: ServerInfo): boolean {
  return isAlive(server) && Boolean(server.failure);
}

/** Servers with the role `api` take messages but deliver none. */
export function delivers(server: ServerInfo): boolean {
  return server.role !== 'api';
}

/** The one thing that matters most now, said plainly. */
export function assess(input: HealthInput): Health {
  if (input.failure) return fromFailure(input.failure);
  if (!input.stats) return { code: 'loading', level: 'unknown', headline: 'Looking …', detail: '', remedy: '' };
  const { stats, trend, now } = input;
  return (
    noScheduler(stats) ??
    hanging(stats) ??
    full(stats) ??
    paused(stats) ??
    deadGrowing(stats, trend) ??
    unserved(stats) ??
    heldBack(stats) ??
    behind(stats) ??
    late(stats) ??
    well(stats, now)
  );
}

function fromFailure(failure: Failure): Health {
  switch (failure.kind) {
    case 'auth':
      return {
        code: 'auth',
        level: 'unknown',
        headline: 'This service asks for its token.',
        detail: 'Nothing is shown without it.',
        remedy: 'Enter the value of Api.AuthToken (environment: API_AUTH).',
      };
    case 'redis':
      return {
        code: 'redis-away',
        level: 'bad',
        headline: 'Redis is away: nothing is accepted or delivered until it is back.',
        detail: failure.detail,
        remedy:
          'Start Redis again, or check that this service can reach it (Redis.ConnectionString, REDIS_URL). ' +
          'The service reconnects by itself, and what it has accepted goes out then.',
      };
    case 'unreachable':
      return {
        code: 'unreachable',
        level: 'bad',
        headline: 'The service does not answer.',
        detail: 'This page shows what it last heard, and keeps trying.',
        remedy:
          'Check that it runs (make run, or its container) and read the end of logs/. What it accepted is kept in Redis.',
      };
    case 'error':
      return {
        code: 'error',
        level: 'bad',
        headline: 'The service answers with an error.',
        detail: failure.detail,
        remedy: 'Read the newest lines of the error file in logs/.',
      };
  }
}

function noScheduler(stats: Stats): Health | null {
  if (!stats.servers || stats.servers.some((server) => delivers(server) && isAlive(server))) return null;
  const waiting = stats.scheduled?.total ?? 0;
  return {
    code: 'no-scheduler',
    level: 'bad',
    headline: 'No scheduler is alive: messages are accepted, but none is delivered.',
    detail: `${plural(waiting, 'message')} scheduled, ${formatCount(stats.due ?? 0)} due already.`,
    remedy: 'Start a server with Server.Role all or worker (python app.py). It takes up at once what is due.',
  };
}

function hanging(stats: Stats): Health | null {
  const schedulers = (stats.servers ?? []).filter((server) => delivers(server) && isAlive(server));
  const stuck = schedulers.filter(hangs);
  if (stuck.length === 0) return null;
  const all = stuck.length === schedulers.length;
  const names = stuck.map((server) => `${server.name}: ${server.failure}`).join('; ');
  return {
    code: 'hanging',
    level: all ? 'bad' : 'warn',
    headline: all
      ? 'Nothing is delivered: the scheduler is running, but stuck.'
      : `${stuck.length} of ${schedulers.length} schedulers ${stuck.length === 1 ? 'is' : 'are'} running, but stuck.`,
    detail: `${names}.${all ? '' : ' The others deliver.'}`,
    remedy:
      'Restart that server. Nothing is lost: what it held is taken up again when its locks expire. ' +
      'The end of the error file in its logs/ says what it was doing.',
  };
}

function full(stats: Stats): Health | null {
  if (!stats.redis?.full) return null;
  return {
    code: 'redis-full',
    level: 'bad',
    headline: 'Redis is full: new messages are refused. Those that are due are delivered.',
    detail: `Redis uses ${formatBytes(stats.redis.used_memory)} of ${formatBytes(stats.redis.maxmemory)}; ${plural(stats.scheduled?.total ?? 0, 'message')} scheduled.`,
    remedy:
      'Give Redis more memory (maxmemory), or shorten retention (Retention.MaxCount, Retention.MaxBytes). ' +
      'A backlog that drains makes room by itself.',
  };
}

function paused(stats: Stats): Health | null {
  if (!stats.paused) return null;
  return {
    code: 'paused',
    level: 'warn',
    headline: 'Delivery is paused. Messages are accepted and wait.',
    detail: `${plural(stats.due ?? 0, 'message is', 'messages are')} due and waiting${oldest(stats)}.`,
    remedy: 'Resume when you are ready: what is due goes out at once, most urgent first.',
  };
}

function deadGrowing(stats: Stats, trend: DeadTrend | null): Health | null {
  if (!trend || trend.added <= 0) return null;
  return {
    code: 'dead-growing',
    level: isMany(stats, trend) ? 'bad' : 'warn',
    headline: `${plural(stats.dead ?? 0, 'dead letter')}, and growing.`,
    detail: `${formatCount(trend.added)} more in the last ${formatSpan(Math.max(trend.overMs, 1000))}; the rest is delivered at ${formatRate(stats.throughput?.delivered_per_s)} per second.`,
    remedy: 'Open one and read its last error. When the cause is mended, redrive them together.',
    link: { href: '#/messages?status=dead', label: 'See dead letters' },
  };
}

/** One in a hundred or more ends as a dead letter. */
function isMany(stats: Stats, trend: DeadTrend): boolean {
  const delivered = ((stats.throughput?.delivered_per_s ?? 0) * trend.overMs) / 1000;
  return trend.added / (trend.added + delivered) >= DEAD_SHARE;
}

/** Lanes whose messages have been due for a while and that no living server delivers. */
export function unservedLanes(stats: Stats): LaneInfo[] {
  return (stats.lanes ?? []).filter((lane) => !lane.served && (lane.oldest_due_age_ms ?? 0) >= BEHIND_MS);
}

/** What is due waits for a server that does not come. */
function unserved(stats: Stats): Health | null {
  const lanes = unservedLanes(stats);
  if (lanes.length === 0) return null;
  const due = lanes.reduce((sum, lane) => sum + lane.due, 0);
  const age = Math.max(...lanes.map((lane) => lane.oldest_due_age_ms ?? 0));
  return {
    code: 'unserved',
    level: 'warn',
    headline: `No living server serves ${namesOf(lanes)}: ${plural(due, 'message is', 'messages are')} due, the oldest for ${formatSpan(age)}.`,
    detail: `Nothing is lost. All else is delivered at ${formatRate(stats.throughput?.delivered_per_s)} per second.`,
    remedy:
      'Start a server that serves it: with its job type in Jobs.Modules, and in Scheduler.Serves where that is set. ' +
      'Or cancel what nobody is to deliver.',
  };
}

export function namesOf(lanes: LaneInfo[]): string {
  const more = lanes.length - NAMED_LANES;
  const names = lanes.slice(0, NAMED_LANES).map((lane) => lane.lane);
  return more > 0 ? `${names.join(', ')} and ${plural(more, 'more lane')}` : names.join(', ');
}

/** The oldest of what is due waits for a destination and not for us. */
function heldBack(stats: Stats): Health | null {
  const held = stats.held_back;
  const age = held?.oldest_age_ms ?? 0;
  if (!held?.messages || age < BEHIND_MS || age < (stats.oldest_due_age_ms ?? 0)) return null;
  const names = (held.destinations ?? []).map((one) => one.destination);
  const who =
    names.length === 0 ? 'A destination' : names.length === 1 ? names[0]! : plural(names.length, 'destination');
  return {
    code: 'held-back',
    level: 'warn',
    headline: `${who} ${names.length > 1 ? 'take' : 'takes'} no more for now: ${plural(held.messages, 'message is', 'messages are')} put off, the oldest due for ${formatSpan(age)}.`,
    detail: `Nothing is lost, and no attempt is charged. Others are delivered at ${formatRate(stats.throughput?.delivered_per_s)} per second.`,
    remedy: 'Look at the endpoint: it hangs, or is slower than its messages come. They go out when it answers again.',
  };
}

function behind(stats: Stats): Health | null {
  const age = stats.oldest_due_age_ms ?? 0;
  if (age < BEHIND_MS || !stats.due) return null;
  return {
    code: 'behind',
    level: 'warn',
    headline: `Behind: ${plural(stats.due, 'message is', 'messages are')} due, the oldest for ${formatSpan(age)}.`,
    detail: `${formatRate(stats.throughput?.delivered_per_s)} are delivered per second${drainTime(stats)}.`,
    remedy: 'If it does not shrink, start another server on the same Redis, or look for a slow destination.',
    link: { href: '#/messages?status=scheduled', label: 'See what is due' },
  };
}

function drainTime(stats: Stats): string {
  const net = (stats.throughput?.delivered_per_s ?? 0) - (stats.throughput?.accepted_per_s ?? 0);
  if (net <= 0 || !stats.due) return '';
  return `; caught up in about ${formatSpan(Math.max(1000, (stats.due / net) * 1000))}`;
}

function late(stats: Stats): Health | null {
  const p99 = stats.lateness_ms?.p99 ?? 0;
  if (p99 < LATE_P99_MS) return null;
  return {
    code: 'late',
    level: 'warn',
    headline: `Delivering late: one in a hundred goes out ${formatSpan(p99)} or more after its moment.`,
    detail: `Half of them within ${formatSpan(stats.lateness_ms?.p50 ?? 0)}; ${formatRate(stats.throughput?.delivered_per_s)} per second.`,
    remedy: 'A burst does this for a while. If it stays, add a server or lower the load on Redis.',
  };
}

function well(stats: Stats, now: number): Health {
  const rate = stats.throughput?.delivered_per_s ?? 0;
  const total = stats.scheduled?.total ?? 0;
  if (rate >= STEADY_PER_S) {
    const { p50, p99 } = stats.lateness_ms ?? {};
    const within =
      p50 != null && p99 != null
        ? `Half of them within ${formatSpan(p50)} of their moment, 99 % within ${formatSpan(p99)}.`
        : `${plural(total, 'message')} scheduled.`;
    return {
      code: 'on-time',
      level: 'ok',
      headline: `Delivering on time: ${formatRate(rate)} per second.`,
      detail: within,
      remedy: '',
    };
  }
  if (total > 0) {
    const next = parseMoment(stats.next_due_at);
    const when = next === null ? '' : `: the next message is due ${formatCountdown(next - now)}`;
    return {
      code: 'waiting',
      level: 'ok',
      headline: `Healthy${when}.`,
      detail: `${plural(total, 'message')} scheduled, nothing overdue.`,
      remedy: '',
    };
  }
  return {
    code: 'idle',
    level: 'ok',
    headline: 'Healthy, and nothing to do.',
    detail: 'No message is scheduled.',
    remedy: '',
    link: { href: '#/schedule', label: 'Schedule one' },
  };
}

function oldest(stats: Stats): string {
  return stats.oldest_due_age_ms ? `, the oldest for ${formatSpan(stats.oldest_due_age_ms)}` : '';
}

interface DeadSample {
  at: number;
  dead: number;
}

export const TREND_WINDOW_MS = 5 * 60_000;

/** Remembers how many dead letters there were, for five minutes, and says by how much they grew. */
export class DeadWatch {
  private samples: DeadSample[] = [];

  add(at: number, dead: number): void {
    const last = this.samples.at(-1);
    // Fewer than before: someone redrove them or retention took them.  Growth counts from there.
    if (last && dead < last.dead) this.samples = [];
    this.samples.push({ at, dead });
    this.samples = this.samples.filter((sample) => at - sample.at <= TREND_WINDOW_MS);
  }

  trend(): DeadTrend | null {
    const first = this.samples[0];
    const last = this.samples.at(-1);
    if (!first || !last || last.dead <= first.dead) return null;
    return { overMs: last.at - first.at, added: last.dead - first.dead };
  }
}
