import { describe, expect, it } from 'vitest';
import { Http } from '../src/lib/http';
import {
  buildSchedule,
  emptyScheduleForm,
  previewQuery,
  scheduleChanges,
  scheduleFormOf,
} from '../src/lib/schedule-form';
import { isFailing, ruleText, runWords, SchedulesApi, timelinePlaces } from '../src/lib/schedules';
import type { PastRun, Schedule } from '../src/lib/schedules';

const NOW = Date.UTC(2027, 0, 1, 9);
const MINUTE = 60_000;

function schedule(part: Partial<Schedule> = {}): Schedule {
  return {
    id: 'nightly',
    status: 'active',
    cron: '30 2 * * *',
    every: null,
    timezone: 'Europe/Berlin',
    start: null,
    end: null,
    max_runs: null,
    jitter: null,
    catch_up: { policy: 'latest', window: '1h', limit: 100 },
    overlap: 'skip',
    labels: ['reports'],
    channel: 'webhook',
    message: { report: 'sales' },
    priority: 'normal',
    webhook: { url: 'https://example.com/hook', method: 'POST', headers: {} },
    note: null,
    overdue: false,
    next_run: null,
    running: null,
    buffered: null,
    counters: {
      made: 0,
      delivered: 0,
      dead: 0,
      cancelled: 0,
      caught_up: 0,
      skipped: { overlap: 0, missed: 0, changed: 0 },
    },
    last_runs: [],
    created_at: '2027-01-01T00:00:00.000Z',
    updated_at: '2027-01-01T00:00:00.000Z',
    ...part,
  };
}

function past(outcome: PastRun['outcome'], part: Partial<PastRun> = {}): PastRun {
  return {
    scheduled_for: new Date(NOW).toISOString(),
    outcome,
    reason: null,
    origin: 'plan',
    message_id: 'm',
    ended_at: null,
    count: 1,
    ...part,
  };
}

describe('the form of a schedule', () => {
  it('asks for what is filled in, and for the message of each run', () => {
    const form = emptyScheduleForm(NOW);
    const built = buildSchedule({
      ...form,
      cron: ' 0 9 * * mon ',
      zone: 'Europe/Berlin',
      maxRuns: '10',
      catchUp: 'all',
      limit: '5',
      labels: 'a, b,',
      id: 'weekly',
      paused: true,
      template: { ...form.template, channel: 'job', jobType: 'report', body: 'hello' },
    });
    expect(built.problems).toEqual([]);
    expect(built.request).toEqual({
      cron: '0 9 * * mon',
      timezone: 'Europe/Berlin',
      max_runs: 10,
      catch_up: { policy: 'all', limit: 5 },
      labels: ['a', 'b'],
      paused: true,
      id: 'weekly',
      channel: 'job',
      job: { type: 'report' },
      message: 'hello',
    });
  });

  it('says what is missing or no number', () => {
    const form = { ...emptyScheduleForm(NOW), rule: 'every' as const, every: ' ', maxRuns: 'ten' };
    expect(buildSchedule(form).problems.map((problem) => problem.field)).toEqual(['every', 'max_runs']);
    expect(previewQuery(form)).toBeNull();
  });

  it('previews the rule without the message', () => {
    const form = { ...emptyScheduleForm(NOW), zone: '', start: '2027-02-01' };
    expect(previewQuery(form)).toEqual({ cron: '0 9 * * mon-fri', start: '2027-02-01', count: 5 });
  });

  it('sends what was changed and nothing else', () => {
    const before = scheduleFormOf(schedule({ end: '2027-06-01T00:00:00.000Z' }), NOW);
    expect(scheduleChanges(before, before).request).toEqual({});
    const after = {
      ...before,
      cron: '0 3 * * *',
      end: '',
      template: { ...before.template, priority: 'high' as const },
    };
    expect(scheduleChanges(before, after).request).toEqual({ cron: '0 3 * * *', end: null, priority: 'high' });
    const other = { ...before, rule: 'every' as const, every: '1h' };
    expect(scheduleChanges(before, other).request).toEqual({ every: '1h' });
  });
});

describe('a run', () => {
  it('is told in words', () => {
    expect(runWords(past('delivered'))).toBe('delivered');
    expect(runWords(past('delivered', { origin: 'catch_up' }))).toBe('delivered, made up for');
    expect(runWords(past('skipped', { reason: 'missed', count: 3 }))).toBe('3 skipped: no server was there');
  });

  it('stands on the line where its moment lies', () => {
    const runs = [past('dead'), past('delivered', { scheduled_for: new Date(NOW - 10 * MINUTE).toISOString() })];
    const next = [{ at: '', at_ms: NOW + 10 * MINUTE, local: '' }];
    const { places, here } = timelinePlaces(runs, next, NOW + 5 * MINUTE, 0, 200);
    expect(places.map(({ kind, x }) => [kind, x])).toEqual([
      ['delivered', 0],
      ['dead', 100],
      ['scheduled', 200],
    ]);
    expect(here).toBe(150);
    expect(timelinePlaces([], [], NOW, 0, 200).places).toEqual([]);
  });
});

it('tells a schedule whose last run failed, and its rule', () => {
  expect(isFailing(schedule({ last_runs: [past('dead'), past('delivered')] }))).toBe(true);
  expect(isFailing(schedule({ last_runs: [past('delivered'), past('dead')] }))).toBe(false);
  expect(ruleText(schedule())).toBe('30 2 * * *');
  expect(ruleText(schedule({ cron: null, every: '90s' }))).toBe('every 90s');
});

it('calls the routes of a schedule by its escaped id', async () => {
  const calls: [string, string][] = [];
  const http = new Http('http://h/', () => null, (async (url: string, init: RequestInit) => {
    calls.push([init.method ?? '', url]);
    return new Response('{"runs": []}');
  }) as typeof fetch);
  const api = new SchedulesApi(http);
  await api.setPaused('a/b', true, 'why');
  await api.backfill('a/b', { from: 'x', to: 'y', dry_run: true });
  await api.preview({ cron: '* * * * *', count: 5 });
  expect(calls).toEqual([
    ['POST', 'http://h/v1/schedules/a%2Fb/pause'],
    ['POST', 'http://h/v1/schedules/a%2Fb/backfill'],
    ['GET', 'http://h/v1/schedules/preview?cron=*+*+*+*+*&count=5'],
  ]);
});
