import { describe, expect, it } from 'vitest';
import { buildChanges, buildRequest, curlCommand, emptyForm, formOf, parseHeaders, problemFor } from '../src/lib/form';
import type { Form, When } from '../src/lib/form';
import type { Message } from '../src/lib/types';

function form(part: Partial<Form> = {}, when: Partial<When> = {}): Form {
  const empty = emptyForm(Date.UTC(2027, 0, 1));
  return { ...empty, body: 'hello', ...part, when: { ...empty.when, zone: 'Europe/Berlin', ...when } };
}

describe('the form becomes a request', () => {
  it.each<[string, Partial<When>, object]>([
    ['now', { mode: 'now' }, {}],
    ['after a delay', { mode: 'delay', delay: ' 1h30m ' }, { delay: '1h30m' }],
    [
      'at a time of a place',
      { mode: 'time', local: '2027-01-01T09:00:00' },
      { time: '2027-01-01T09:00:00', timezone: 'Europe/Berlin' },
    ],
    ['at a time in UTC', { mode: 'time', local: '2027-01-01T09:00', zone: '' }, { time: '2027-01-01T09:00' }],
    ['at a moment as text', { mode: 'text', text: '1798790400', zone: '' }, { time: '1798790400' }],
  ])('%s', (_, when, expected) => {
    const { request, problems } = buildRequest(form({}, when));
    expect(problems).toEqual([]);
    expect(request).toEqual({ channel: 'echo', message: 'hello', ...expected });
  });

  it.each<[Partial<When>, string]>([
    [{ mode: 'delay', delay: ' ' }, 'delay'],
    [{ mode: 'time', local: '' }, 'time'],
    [{ mode: 'text', text: '' }, 'time'],
  ])('asks for the moment that is missing (%o)', (when, field) => {
    expect(buildRequest(form({}, when)).problems.map((problem) => problem.field)).toEqual([field]);
  });

  it('sends JSON as JSON, and says what is wrong with what is not', () => {
    const json = form({ bodyKind: 'json', body: '{"a": [1, null]}' }, { mode: 'now' });
    expect(buildRequest(json).request['message']).toEqual({ a: [1, null] });
    const broken = buildRequest(form({ bodyKind: 'json', body: '{a}' }, { mode: 'now' }));
    expect(broken.request).not.toHaveProperty('message');
    expect(problemFor(broken.problems, 'message')).toMatch(/not JSON yet/);
  });

  it('carries a webhook with its headers and limit', () => {
    const hook = form(
      {
        channel: 'webhook',
        url: ' https://example.com/in ',
        method: 'PUT',
        headers: 'X-Team: a:b\n\n',
        timeout: '2.5',
      },
      { mode: 'now' },
    );
    expect(buildRequest(hook).request['webhook']).toEqual({
      url: 'https://example.com/in',
      method: 'PUT',
      headers: { 'X-Team': 'a:b' },
      timeout: 2.5,
    });
  });

  it('carries a job, a priority, a retry policy and an id of one’s own', () => {
    const job = form(
      {
        channel: 'job',
        jobType: 'send_email',
        priority: 'high',
        maxAttempts: '3',
        cap: '60',
        jitter: 'false',
        id: 'mine',
      },
      { mode: 'now' },
    );
    expect(buildRequest(job).request).toEqual({
      channel: 'job',
      message: 'hello',
      job: { type: 'send_email' },
      priority: 'high',
      retry: { max_attempts: 3, cap: 60, jitter: false },
      id: 'mine',
    });
  });

  it('names every field that cannot be sent', () => {
    const bad = form({ channel: 'webhook', url: '', headers: 'nonsense', timeout: 'soon', base: 'x' }, { mode: 'now' });
    const fields = buildRequest(bad).problems.map((problem) => problem.field);
    expect(fields).toEqual(['webhook.url', 'webhook.headers', 'webhook.timeout', 'retry.base']);
  });
});

const STORED: Message = {
  id: 'L1v',
  status: 'scheduled',
  channel: 'webhook',
  message: { a: 1 },
  due_at: '2027-01-01T08:00:00.000Z',
  due_at_ms: Date.UTC(2027, 0, 1, 8),
  priority: 'high',
  attempt: 0,
  created_at: '2026-12-01T08:00:00.000Z',
  updated_at: '2026-12-01T08:00:00.000Z',
  webhook: { url: 'https://example.com', method: 'POST' },
  retry: { max_attempts: 4 },
};

describe('an edit', () => {
  const before = formOf(STORED);

  it('sends nothing when nothing was changed', () => {
    expect(buildChanges(before, before)).toEqual({ request: {}, problems: [] });
  });

  it('sends what was changed and nothing else', () => {
    expect(buildChanges(before, { ...before, body: '{"a":2}' }).request).toEqual({ message: { a: 2 } });
    expect(buildChanges(before, { ...before, url: 'https://example.org' }).request).toEqual({
      webhook: { url: 'https://example.org' },
    });
    expect(buildChanges(before, { ...before, maxAttempts: '9' }).request).toEqual({ retry: { max_attempts: 9 } });
  });

  it('can lower a priority to the default', () => {
    expect(buildChanges(before, { ...before, priority: 'normal' }).request).toEqual({ priority: 'normal' });
  });

  it('moves the moment, also to now', () => {
    const when = (part: Partial<When>): Form => ({ ...before, when: { ...before.when, ...part } });
    expect(buildChanges(before, when({ mode: 'delay', delay: '10s' })).request).toEqual({ delay: '10s' });
    expect(buildChanges(before, when({ mode: 'now' })).request).toEqual({ delay: 0 });
  });
});

it('reads headers, one per line, and refuses what is none', () => {
  expect(parseHeaders('A: 1\nB:2').headers).toEqual({ A: '1', B: '2' });
  expect(parseHeaders('no colon').problem).toMatch(/no colon/);
});

it('quotes the curl command for a shell', () => {
  expect(curlCommand('http://h/v1/messages', { message: "it's" })).toContain(`"it'\\''s"`);
});

describe('flow control', () => {
  const form = emptyForm(0);

  it('is asked for by its key, with what is filled in', () => {
    const flow = { key: ' tenant-42 ', concurrency: '5', rate: '10', period: '1m', ordered: true };
    const asked = { key: 'tenant-42', concurrency: 5, rate: 10, period: '1m', ordered: true };
    expect(buildRequest({ ...form, flow }).request['flow']).toEqual(asked);
    expect(buildRequest({ ...form, flow: { ...form.flow, key: 'k' } }).request['flow']).toEqual({ key: 'k' });
    expect(buildRequest(form).request).not.toHaveProperty('flow');
  });

  it('needs a key for its limits', () => {
    expect(buildRequest({ ...form, flow: { ...form.flow, rate: '1' } }).problems[0]?.field).toBe('flow.key');
  });
});
