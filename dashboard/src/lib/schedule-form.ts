import { buildRequest, emptyForm, formOf } from './form';
import type { Built, Form, Request } from './form';
import type { Schedule } from './schedules';
import { browserTimeZone } from './time';
import type { FieldProblem, Json, Message } from './types';

export type CatchUp = 'none' | 'latest' | 'all';
export type Overlap = 'allow' | 'skip' | 'buffer';

export interface ScheduleForm {
  id: string;
  rule: 'cron' | 'every';
  cron: string;
  /** `90s`, `1h30m`, `PT5M`. */
  every: string;
  zone: string;
  /** Any form of time that the service reads. */
  start: string;
  end: string;
  maxRuns: string;
  jitter: string;
  catchUp: '' | CatchUp;
  window: string;
  limit: string;
  overlap: '' | Overlap;
  /** Separated by commas. */
  labels: string;
  paused: boolean;
  /** The message of each run; its moment and its id are the schedule's affair. */
  template: Form;
}

export function emptyScheduleForm(nowMs: number): ScheduleForm {
  return {
    id: '',
    rule: 'cron',
    cron: '0 9 * * mon-fri',
    every: '15m',
    zone: browserTimeZone(),
    start: '',
    end: '',
    maxRuns: '',
    jitter: '',
    catchUp: '',
    window: '',
    limit: '',
    overlap: '',
    labels: '',
    paused: false,
    template: template(emptyForm(nowMs)),
  };
}

function template(form: Form): Form {
  return { ...form, when: { ...form.when, mode: 'keep' }, id: '' };
}

/** The form that describes a stored schedule, for editing. */
export function scheduleFormOf(schedule: Schedule, nowMs: number): ScheduleForm {
  return {
    ...emptyScheduleForm(nowMs),
    id: schedule.id,
    rule: schedule.every ? 'every' : 'cron',
    cron: schedule.cron ?? '',
    every: schedule.every == null ? '' : String(schedule.every),
    zone: schedule.timezone ?? '',
    start: schedule.start ?? '',
    end: schedule.end ?? '',
    maxRuns: schedule.max_runs == null ? '' : String(schedule.max_runs),
    jitter: schedule.jitter == null ? '' : String(schedule.jitter),
    catchUp: schedule.catch_up.policy,
    window: String(schedule.catch_up.window),
    limit: String(schedule.catch_up.limit),
    overlap: schedule.overlap,
    labels: schedule.labels.join(', '),
    paused: schedule.status === 'paused',
    template: template(formOf({ ...schedule, due_at_ms: nowMs } as unknown as Message)),
  };
}

/** What says when the schedule runs: the fields of the request that the preview needs too. */
export function ruleRequest(form: ScheduleForm): Built {
  const problems: FieldProblem[] = [];
  const request: Request = {};
  const rule = (form.rule === 'cron' ? form.cron : form.every).trim();
  if (rule) request[form.rule] = rule;
  else if (form.rule === 'cron') problems.push({ field: 'cron', message: 'Write a cron expression: 0 9 * * mon-fri.' });
  else problems.push({ field: 'every', message: 'Say how often: 90s, 15m, 1d or PT5M.' });
  for (const [key, text] of Object.entries({ timezone: form.zone, start: form.start, end: form.end })) {
    if (text.trim()) request[key] = text.trim();
  }
  const most = whole('max_runs', form.maxRuns, problems);
  if (most !== undefined) request['max_runs'] = most;
  if (form.jitter.trim()) request['jitter'] = form.jitter.trim();
  return { request, problems };
}

/** The body of POST /v1/schedules.  Only what the browser alone can know is checked here; the service checks the rest. */
export function buildSchedule(form: ScheduleForm): Built {
  const rule = ruleRequest(form);
  const message = buildRequest(form.template);
  const problems = [...rule.problems, ...message.problems];
  const request: Request = { ...rule.request, ...message.request };
  const catchUp = catchUpRequest(form, problems);
  if (Object.keys(catchUp).length > 0) request['catch_up'] = catchUp;
  if (form.overlap) request['overlap'] = form.overlap;
  const labels = form.labels.split(',').map((label) => label.trim());
  if (form.labels.trim()) request['labels'] = labels.filter(Boolean);
  if (form.paused) request['paused'] = true;
  if (form.id.trim()) request['id'] = form.id.trim();
  return { request, problems };
}

function catchUpRequest(form: ScheduleForm, problems: FieldProblem[]): { [key: string]: Json } {
  const limit = whole('catch_up.limit', form.limit, problems);
  return {
    ...(form.catchUp ? { policy: form.catchUp } : {}),
    ...(form.window.trim() ? { window: form.window.trim() } : {}),
    ...(limit === undefined ? {} : { limit }),
  };
}

function whole(field: string, text: string, problems: FieldProblem[]): number | undefined {
  if (!text.trim()) return undefined;
  if (/^\d+$/.test(text.trim())) return Number(text);
  problems.push({ field, message: 'Write a whole number.' });
  return undefined;
}

/** What a change can take out of a schedule again. */
const REMOVABLE = ['start', 'end', 'max_runs', 'jitter'];

/** The body of PATCH: what differs between the form as it was filled and as it is now; null takes a bound out. */
export function scheduleChanges(before: ScheduleForm, after: ScheduleForm): Built {
  const was = complete(before);
  const { problems } = buildSchedule(after);
  const is = complete(after);
  const changes: Request = {};
  for (const [key, value] of Object.entries(is)) {
    if (JSON.stringify(value) !== JSON.stringify(was[key])) changes[key] = value;
  }
  for (const key of REMOVABLE) if (key in was && !(key in is)) changes[key] = null;
  return { request: changes, problems };
}

/** What a form asks for with its defaults written out: left away they would leave what was there. */
function complete(form: ScheduleForm): Request {
  const { id: _id, paused: _paused, channel: _channel, ...request } = buildSchedule(form).request;
  return {
    ...request,
    timezone: form.zone.trim() || 'UTC',
    priority: form.template.priority,
    labels: request['labels'] ?? [],
  };
}

const PREVIEWED = 5;

/** The parameters of GET /v1/schedules/preview; null while something that they need is missing. */
export function previewQuery(form: ScheduleForm): Record<string, string | number> | null {
  const { request, problems } = ruleRequest(form);
  if (problems.length > 0) return null;
  const { jitter: _, ...plan } = request;
  return { ...(plan as Record<string, string | number>), count: PREVIEWED };
}
