import { describe, expect, it } from 'vitest';
import { destination, excerpt, payloadText } from '../src/lib/describe';
import { applyEvents } from '../src/lib/feed';
import { formatBytes, formatCount, formatRate } from '../src/lib/format';
import { timeline } from '../src/lib/timeline';
import type { Message } from '../src/lib/types';

function message(part: Partial<Message> = {}): Message {
  return {
    id: 'L1v',
    status: 'scheduled',
    channel: 'echo',
    message: 'hello',
    due_at: '2027-01-01T08:00:00.000Z',
    due_at_ms: Date.UTC(2027, 0, 1, 8),
    priority: 'normal',
    attempt: 0,
    created_at: '2027-01-01T07:00:00.000Z',
    updated_at: '2027-01-01T07:00:00.000Z',
    ...part,
  };
}

describe('the timeline', () => {
  it('ends with the moment to come', () => {
    const steps = timeline(
      message({ attempt: 1, attempts: [{ attempt: 1, started_at: '2027-01-01T07:30:00Z', outcome: 'failed' }] }),
    );
    expect(steps.map((step) => step.text)).toEqual(['Accepted', 'Attempt 1: failed', 'Due, attempt 2']);
    expect(steps.at(-1)?.future).toBe(true);
  });

  it('tells each attempt with its length and its outcome', () => {
    const attempts = [{ attempt: 1, started_at: Date.UTC(2027, 0, 1, 8), duration_ms: 42, outcome: 'delivered' }];
    const steps = timeline(message({ status: 'delivered', attempt: 1, attempts }));
    expect(steps.at(-1)).toMatchObject({ kind: 'delivered', text: 'Attempt 1 (42 ms): delivered' });
  });

  it('tells the moment that was asked for once something else moved it', () => {
    const asked = { scheduled_for: '2027-01-01T07:00:00Z' };
    expect(timeline(message(asked)).map((step) => step.text)).toContain('Due, as asked for');
    const due = message({});
    const unmoved = timeline({ ...due, scheduled_for: new Date(due.due_at_ms).toISOString() });
    expect(unmoved.map((step) => step.text)).not.toContain('Due, as asked for');
  });

  it('tells how it ended', () => {
    expect(timeline(message({ status: 'cancelled' })).at(-1)?.text).toBe('Cancelled');
    expect(timeline(message({ status: 'dead' })).at(-1)?.text).toBe('Became a dead letter');
  });
});

describe('a message in a list', () => {
  it('says where it goes', () => {
    expect(destination(message({ webhook: { url: 'https://example.com:8443/a?b' } }))).toBe('example.com:8443');
    expect(destination(message({ job: { type: 'send_email' } }))).toBe('send_email');
    expect(destination(message())).toBe('');
  });

  it('shows the beginning of its payload on one line', () => {
    expect(excerpt(message({ message: 'a\n\n  b' }))).toBe('a b');
    expect(excerpt(message({ message: 'x'.repeat(1_000) }))).toHaveLength(141);
    expect(excerpt(message({ message: null }))).toBe('null');
  });
});

it('follows the events while it stands in a list', () => {
  const [first, second] = [message({ id: 'a' }), message({ id: 'b' })];
  const event = (name: string, id: string) => ({ event_id: name, id, event: name, attempt: 1, at: 0 });
  const after = applyEvents([first, second], [event('claimed', 'a'), event('dead', 'a'), event('claimed', 'z')]);
  expect(after[0]).toMatchObject({ status: 'dead', attempt: 1 });
  expect(after[1]).toBe(second);
  const untouched = [first, second];
  expect(applyEvents(untouched, [event('claimed', 'z'), event('updated', 'a')])).toBe(untouched);
});

it('shows a text as it is and the rest as JSON', () => {
  expect(payloadText(message({ message: '<b>"</b>' }))).toBe('<b>"</b>');
  expect(payloadText(message({ message: { a: 1 } }))).toBe('{\n  "a": 1\n}');
});

it('writes figures that can be read at a glance', () => {
  expect([0, 1234567, undefined].map(formatCount)).toEqual(['0', '1\u202f234\u202f567', '–']);
  expect([0, 0.01, 1, 2.34, 1500].map(formatRate)).toEqual(['0', '<0.1', '1', '2.3', '1\u202f500']);
  expect([512, 48_300_000, 1e12].map(formatBytes)).toEqual(['512 B', '48.3 MB', '1.0 TB']);
});
