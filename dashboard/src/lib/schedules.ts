import { formatCount } from './format';
import type { Http } from './http';
import type { Page } from './paging';
import { parseMoment } from './time';
import type { Channel, Json, Message, Priority, RetryPolicy, Webhook } from './types';

/** A moment at which a schedule runs. */
export interface Run {
  at: string;
  at_ms: number;
  /** In the schedule's time zone, with its offset. */
  local: string;
}

export type RunOutcome = 'delivered' | 'dead' | 'cancelled' | 'skipped';
export type Origin = 'plan' | 'catch_up' | 'backfill' | 'run';

/** A run that ended: what became of its message, or why it made none. */
export interface PastRun {
  /** The moment of the plan. */
  scheduled_for: string;
  outcome: RunOutcome;
  /** Why it was skipped: `overlap`, `missed`, `changed`. */
  reason: string | null;
  origin: Origin;
  message_id: string | null;
  ended_at: string | null;
  /** How many moments this stands for; the moment is that of the last. */
  count: number;
}

export type ScheduleStatus = 'active' | 'paused' | 'ended';
export const SCHEDULE_STATUSES: readonly ScheduleStatus[] = ['active', 'paused', 'ended'];

export interface Counters {
  made: number;
  delivered: number;
  dead: number;
  cancelled: number;
  caught_up: number;
  skipped: { overlap: number; missed: number; changed: number };
}

export interface Schedule {
  id: string;
  status: ScheduleStatus;
  cron: string | null;
  every: string | number | null;
  timezone: string | null;
  start: string | null;
  end: string | null;
  max_runs: number | null;
  jitter: string | number | null;
  catch_up: { policy: 'none' | 'latest' | 'all'; window: string | number; limit: number };
  overlap: 'allow' | 'skip' | 'buffer';
  labels: string[];
  /** Given with the last pause or resume. */
  note: string | null;
  /** Active, and its moment passed a while ago without a server that planned it. */
  overdue: boolean;
  next_run: Run | null;
  /** The id of the message under way, where runs may not overlap. */
  running: string | null;
  /** The moment of the run that waits for the end of that one. */
  buffered: string | null;
  counters: Counters;
  /** Newest first. */
  last_runs: PastRun[];
  /** Of a single schedule only. */
  next_runs?: Run[];
  created_at: string;
  updated_at: string;
  channel: Channel;
  message: Json;
  priority: Priority;
  webhook?: Webhook | null;
  job?: { type?: string } | null;
  retry?: RetryPolicy | null;
}

/** `every 15m`, `0 9 * * mon-fri`. */
export function ruleText(schedule: Schedule): string {
  return schedule.every == null ? (schedule.cron ?? '') : `every ${schedule.every}`;
}

export interface Backfill {
  from: string;
  to: string;
  dry_run?: boolean;
}

export interface BackfillAnswer {
  /** Moments of the plan in the span. */
  runs: number;
  /** Those that have their message already. */
  existing: number;
  made?: number;
  /** In a dry run. */
  would_make?: number;
  /** True when the span holds more than was looked at. */
  more: boolean;
}

/** /v1/schedules. */
export class SchedulesApi {
  constructor(private readonly http: Http) {}

  async list(query: Record<string, string | number | undefined>, signal?: AbortSignal): Promise<Page<Schedule>> {
    const answer = await this.http.call<{ schedules: Schedule[]; next_cursor: string | null }>('v1/schedules', {
      query,
      signal,
    });
    return { items: answer.schedules, next: answer.next_cursor };
  }

  one(id: string, signal?: AbortSignal): Promise<Schedule> {
    return this.http.call(path(id), { signal });
  }

  create(body: Json, idempotencyKey: string | null): Promise<Schedule> {
    const headers = idempotencyKey ? { 'Idempotency-Key': idempotencyKey } : {};
    return this.http.call('v1/schedules', { method: 'POST', body, headers });
  }

  update(id: string, changes: Json): Promise<Schedule> {
    return this.http.call(path(id), { method: 'PATCH', body: changes });
  }

  async remove(id: string): Promise<void> {
    await this.http.call(path(id), { method: 'DELETE' });
  }

  setPaused(id: string, paused: boolean, note: string): Promise<Schedule> {
    const body = note ? { note } : {};
    return this.http.call(`${path(id)}/${paused ? 'pause' : 'resume'}`, { method: 'POST', body });
  }

  run(id: string): Promise<Message> {
    return this.http.call(`${path(id)}/run`, { method: 'POST' });
  }

  backfill(id: string, request: Backfill, signal?: AbortSignal): Promise<BackfillAnswer> {
    return this.http.call(`${path(id)}/backfill`, { method: 'POST', body: request, signal });
  }

  async preview(query: Record<string, string | number>, signal?: AbortSignal): Promise<Run[]> {
    return (await this.http.call<{ runs: Run[] }>('v1/schedules/preview', { query, signal })).runs;
  }
}

function path(id: string): string {
  return `v1/schedules/${encodeURIComponent(id)}`;
}

const ORIGINS: Record<string, string> = { catch_up: 'made up for', backfill: 'backfill', run: 'by hand' };

const REASONS: Record<string, string> = {
  overlap: 'the run before was not done',
  missed: 'no server was there',
  changed: 'the schedule was changed',
};

/** `delivered, made up for`; `3 skipped: no server was there`. */
export function runWords(run: PastRun): string {
  const count = run.count > 1 ? `${formatCount(run.count)} ` : '';
  const why = run.reason ? `: ${REASONS[run.reason] ?? run.reason}` : '';
  const origin = ORIGINS[run.origin] ? `, ${ORIGINS[run.origin]}` : '';
  return `${count}${run.outcome}${why}${origin}`;
}

export function momentOf(run: PastRun): number {
  return parseMoment(run.scheduled_for) ?? 0;
}

/** The last run that ended ended badly. */
export function isFailing(schedule: Schedule): boolean {
  return schedule.last_runs[0]?.outcome === 'dead';
}

export interface Place {
  at: number;
  /** px */
  x: number;
  /** Picks the mark. */
  kind: string;
  text: string;
}

/** Where each run stands on a line from `left` to `right` (px), oldest first, and where now is. */
export function timelinePlaces(
  past: readonly PastRun[],
  next: readonly Run[],
  now: number,
  left: number,
  right: number,
): { places: Place[]; here: number } {
  const runs = [
    ...past.map((run) => ({ at: momentOf(run), kind: run.outcome as string, text: runWords(run) })),
    ...next.map((run) => ({ at: run.at_ms, kind: 'scheduled', text: 'to come' })),
  ].sort((a, b) => a.at - b.at);
  const from = Math.min(now, ...runs.map((run) => run.at));
  const to = Math.max(now, ...runs.map((run) => run.at));
  const x = (at: number): number => Math.round(left + ((at - from) / Math.max(to - from, 1)) * (right - left));
  return { places: runs.map((run) => ({ ...run, x: x(run.at) })), here: x(now) };
}
