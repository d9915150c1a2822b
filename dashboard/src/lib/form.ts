import { browserTimeZone, toLocalInput } from './time';
import type { Channel, FieldProblem, Json, Message, Priority } from './types';

/** `keep` is for edits: the moment stays as it is. */
export type WhenMode = 'keep' | 'now' | 'delay' | 'time' | 'text';

export interface When {
  mode: WhenMode;
  /** `1h30m`, `90`, `PT5M`. */
  delay: string;
  /** `2027-01-01T09:00:00`, from a datetime-local input; local to `zone`. */
  local: string;
  zone: string;
  /** Any form of time that the service reads. */
  text: string;
}

export interface Form {
  channel: Channel;
  bodyKind: 'text' | 'json';
  body: string;
  when: When;
  url: string;
  method: string;
  /** One `Name: value` per line. */
  headers: string;
  timeout: string;
  jobType: string;
  priority: Priority;
  maxAttempts: string;
  base: string;
  factor: string;
  cap: string;
  jitter: '' | 'true' | 'false';
  flow: FlowForm;
  id: string;
}

/** The flow key and what it allows; left empty, what it allows stays as it is. */
export interface FlowForm {
  key: string;
  concurrency: string;
  rate: string;
  period: string;
  ordered: boolean;
}

export type Request = { [key: string]: Json };
export type Built = { request: Request; problems: FieldProblem[] };

const QUARTER_HOUR_MS = 15 * 60_000;

/** An empty form; the picker starts at the next quarter of an hour. */
export function emptyForm(nowMs: number): Form {
  return {
    channel: 'echo',
    bodyKind: 'text',
    body: '',
    when: {
      mode: 'delay',
      delay: '5m',
      local: toLocalInput(Math.ceil((nowMs + 1) / QUARTER_HOUR_MS) * QUARTER_HOUR_MS),
      zone: browserTimeZone(),
      text: '',
    },
    url: '',
    method: 'POST',
    headers: '',
    timeout: '',
    jobType: '',
    priority: 'normal',
    maxAttempts: '',
    base: '',
    factor: '',
    cap: '',
    jitter: '',
    flow: { key: '', concurrency: '', rate: '', period: '', ordered: false },
    id: '',
  };
}

/** The form that describes a stored message, for editing. */
export function formOf(message: Message): Form {
  const isText = typeof message.message === 'string';
  const form = emptyForm(message.due_at_ms);
  return {
    ...form,
    channel: message.channel as Channel,
    bodyKind: isText ? 'text' : 'json',
    body: isText ? String(message.message) : JSON.stringify(message.message, null, 2),
    when: { ...form.when, mode: 'keep', local: toLocalInput(message.due_at_ms) },
    url: message.webhook?.url ?? '',
    method: message.webhook?.method ?? 'POST',
    headers: Object.entries(message.webhook?.headers ?? {})
      .map(([name, value]) => `${name}: ${value}`)
      .join('\n'),
    timeout: text(message.webhook?.timeout),
    jobType: message.job?.type ?? '',
    priority: message.priority,
    maxAttempts: text(message.retry?.max_attempts),
    base: text(message.retry?.base),
    factor: text(message.retry?.factor),
    cap: text(message.retry?.cap),
    jitter: message.retry?.jitter === undefined ? '' : message.retry.jitter ? 'true' : 'false',
  };
}

function text(value: number | undefined | null): string {
  return value === undefined || value === null ? '' : String(value);
}

/** The fields that say when; also the body of POST /v1/preview. */
export function whenRequest(when: When): Built {
  switch (when.mode) {
    case 'keep':
    case 'now':
      return { request: {}, problems: [] };
    case 'delay':
      return required('delay', when.delay, 'Say how long: 90, 1h30m or PT5M.');
    case 'time': {
      const built = required('time', when.local, 'Choose a date and a time.');
      return when.zone ? { ...built, request: { ...built.request, timezone: when.zone } } : built;
    }
    case 'text': {
      const built = required(
        'time',
        when.text,
        'Write a moment: ISO 8601, RFC 2822, or epoch seconds or milliseconds.',
      );
      return when.zone ? { ...built, request: { ...built.request, timezone: when.zone } } : built;
    }
  }
}

function required(field: string, value: string, message: string): Built {
  const trimmed = value.trim();
  return trimmed ? { request: { [field]: trimmed }, problems: [] } : { request: {}, problems: [{ field, message }] };
}

/** The body of POST /v1/messages.  Only what the browser alone can know is checked here; the service checks the rest. */
export function buildRequest(form: Form): Built {
  const when = whenRequest(form.when);
  const request: Request = { ...when.request, channel: form.channel };
  const problems = [...when.problems];

  const body = parseBody(form);
  if (body.problem) problems.push(body.problem);
  else request['message'] = body.value;

  if (form.channel === 'webhook') request['webhook'] = webhook(form, problems);
  if (form.channel === 'job') {
    if (!form.jobType.trim()) problems.push({ field: 'job.type', message: 'Name the handler that runs this job.' });
    request['job'] = { type: form.jobType.trim() };
  }
  if (form.priority !== 'normal') request['priority'] = form.priority;
  const retry = retryPolicy(form, problems);
  if (Object.keys(retry).length > 0) request['retry'] = retry;
  const flow = flowRequest(form.flow, problems);
  if (flow) request['flow'] = flow;
  if (form.id.trim()) request['id'] = form.id.trim();
  return { request, problems };
}

/** The body of PATCH: what differs between the form as it was filled and as it is now. */
export function buildChanges(before: Form, after: Form): Built {
  // The default must be written out here: leaving `priority` away would leave a high one high.
  const was: Request = {
    ...buildRequest({ ...before, when: { ...before.when, mode: 'keep' } }).request,
    priority: before.priority,
  };
  const { request, problems } = buildRequest(after);
  const is: Request = { ...request, priority: after.priority };
  const changes: Request = {};
  for (const key of ['time', 'timezone', 'delay', 'message', 'webhook', 'priority', 'retry']) {
    if (key in is && JSON.stringify(is[key]) !== JSON.stringify(was[key])) changes[key] = is[key] as Json;
  }
  if (after.when.mode === 'now') changes['delay'] = 0;
  return { request: changes, problems };
}

function parseBody(form: Form): { value: Json; problem?: FieldProblem } {
  if (form.bodyKind === 'text') return { value: form.body };
  try {
    return { value: JSON.parse(form.body) as Json };
  } catch (error) {
    const why = error instanceof Error ? error.message : 'not JSON';
    return { value: null, problem: { field: 'message', message: `This is not JSON yet: ${why}` } };
  }
}

function webhook(form: Form, problems: FieldProblem[]): Json {
  if (!form.url.trim()) problems.push({ field: 'webhook.url', message: 'Give the address to call.' });
  const { headers, problem } = parseHeaders(form.headers);
  if (problem) problems.push({ field: 'webhook.headers', message: problem });
  const timeout = number('webhook.timeout', form.timeout, problems);
  return {
    url: form.url.trim(),
    ...(form.method === 'POST' ? {} : { method: form.method }),
    ...(Object.keys(headers).length > 0 ? { headers } : {}),
    ...(timeout === undefined ? {} : { timeout }),
  };
}

export function parseHeaders(lines: string): { headers: Record<string, string>; problem?: string } {
  const headers: Record<string, string> = {};
  for (const line of lines.split('\n')) {
    if (!line.trim()) continue;
    const colon = line.indexOf(':');
    if (colon < 1) return { headers, problem: `“${line.trim()}” is not a header; write Name: value.` };
    headers[line.slice(0, colon).trim()] = line.slice(colon + 1).trim();
  }
  return { headers };
}

function retryPolicy(form: Form, problems: FieldProblem[]): { [key: string]: Json } {
  const policy: { [key: string]: Json } = {};
  const numbers = { max_attempts: form.maxAttempts, base: form.base, factor: form.factor, cap: form.cap };
  for (const [key, value] of Object.entries(numbers)) {
    const parsed = number(`retry.${key}`, value, problems);
    if (parsed !== undefined) policy[key] = parsed;
  }
  if (form.jitter) policy['jitter'] = form.jitter === 'true';
  return policy;
}

function flowRequest(form: FlowForm, problems: FieldProblem[]): Json | null {
  const flow: { [key: string]: Json } = {};
  for (const [name, value] of Object.entries({ concurrency: form.concurrency, rate: form.rate })) {
    const parsed = number(`flow.${name}`, value, problems);
    if (parsed !== undefined) flow[name] = parsed;
  }
  if (form.period.trim()) flow['period'] = form.period.trim();
  if (form.ordered) flow['ordered'] = true;
  if (form.key.trim()) return { key: form.key.trim(), ...flow };
  if (Object.keys(flow).length > 0)
    problems.push({ field: 'flow.key', message: 'Name the key that has these limits.' });
  return null;
}

function number(field: string, value: string, problems: FieldProblem[]): number | undefined {
  if (!value.trim()) return undefined;
  const parsed = Number(value);
  if (Number.isFinite(parsed)) return parsed;
  problems.push({ field, message: 'Write a number.' });
  return undefined;
}

/** The problem that belongs beside a field of the form, if there is one. */
export function problemFor(problems: readonly FieldProblem[], field: string): string | undefined {
  return problems.find((problem) => problem.field === field || problem.field.startsWith(`${field}.`))?.message;
}

/** The same request for a terminal, quoted for a POSIX shell. */
export function curlCommand(url: string, request: Request): string {
  const body = JSON.stringify(request, null, 2).replaceAll("'", "'\\''");
  return `curl ${url} \\\n  -H 'Content-Type: application/json' \\\n  -d '${body}'`;
}
