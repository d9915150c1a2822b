import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventStream, GAP, protocols, reachableUrl, readFrame, reconnectDelay } from '../src/lib/events';
import type { Socket, StreamState } from '../src/lib/events';
import type { ServiceEvent } from '../src/lib/types';

class FakeSocket implements Socket {
  onopen: Socket['onopen'] = null;
  onmessage: Socket['onmessage'] = null;
  onclose: Socket['onclose'] = null;
  closed = false;

  constructor(
    readonly url: string,
    readonly names: string[],
  ) {}

  close(): void {
    this.closed = true;
  }

  open(): void {
    this.onopen?.(undefined as never);
  }

  say(...events: object[]): void {
    this.onmessage?.({ data: JSON.stringify(events.length === 1 ? events[0] : events) });
  }

  drop(reason = ''): void {
    this.onclose?.({ code: 1006, reason });
  }
}

function event(number: number): ServiceEvent {
  return { event_id: `${number}-0`, id: `m${number}`, event: 'delivered', at: number };
}

function harness() {
  const sockets: FakeSocket[] = [];
  const states: StreamState[] = [];
  const events: ServiceEvent[] = [];
  const stream = new EventStream({
    url: 'ws://h:3001/v1/events',
    token: () => null,
    onEvents: (batch) => events.push(...batch),
    onState: (state) => states.push(state),
    open: (url, names) => {
      const socket = new FakeSocket(url, names);
      sockets.push(socket);
      return socket;
    },
    random: () => 1,
    now: () => Date.now(),
  });
  const last = (): FakeSocket => sockets[sockets.length - 1] as FakeSocket;
  return { stream, sockets, states, events, last };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('the stream of events', () => {
  it('hands on what arrives, in batches', () => {
    const { stream, last, events, states } = harness();
    stream.start();
    last().open();
    last().say({ type: 'hello' });
    last().say(event(1), event(2));
    last().say(event(3));
    expect(events).toEqual([]);
    vi.advanceTimersByTime(250);
    expect(events.map((one) => one.id)).toEqual(['m1', 'm2', 'm3']);
    expect(states).toEqual(['connecting', 'live']);
  });

  it('reconnects by itself and goes on after the last event it saw', () => {
    const { stream, sockets, last, states } = harness();
    stream.start();
    last().open();
    last().say(event(7));
    last().drop('too slow');
    expect(states.at(-1)).toBe('waiting');
    vi.advanceTimersByTime(500);
    expect(sockets).toHaveLength(2);
    expect(last().url).toBe('ws://h:3001/v1/events?last_event_id=7-0');
  });

  it('marks where the service lost events, and resumes after the last true one', () => {
    const { stream, last, events } = harness();
    stream.start();
    last().open();
    last().say(event(7));
    last().say({ type: 'gap' });
    last().drop();
    vi.advanceTimersByTime(500);
    expect(events.map((one) => one.event)).toEqual(['delivered', GAP]);
    expect(last().url).toContain('last_event_id=7-0');
  });

  it('waits longer with every failure, and not after a connection that held', () => {
    const { stream, sockets, last } = harness();
    stream.start();
    last().drop();
    vi.advanceTimersByTime(500);
    last().drop();
    vi.advanceTimersByTime(999);
    expect(sockets).toHaveLength(2);
    vi.advanceTimersByTime(1);
    expect(sockets).toHaveLength(3);
    last().open();
    vi.advanceTimersByTime(60_000);
    last().drop();
    vi.advanceTimersByTime(500);
    expect(sockets).toHaveLength(4);
  });

  it('stops for good, and delivers what it still held', () => {
    const { stream, sockets, last, events } = harness();
    stream.start();
    last().open();
    last().say(event(1));
    stream.stop();
    expect(events).toHaveLength(1);
    expect(last().closed).toBe(true);
    vi.advanceTimersByTime(60_000);
    expect(sockets).toHaveLength(1);
  });
});

it('doubles the delay up to a ceiling, half of it by chance', () => {
  expect(reconnectDelay(0, 0)).toBe(250);
  expect(reconnectDelay(0, 1)).toBe(500);
  expect(reconnectDelay(3, 1)).toBe(4_000);
  expect(reconnectDelay(40, 1)).toBe(15_000);
});

it('sends the token as a subprotocol, in letters that one may have', () => {
  expect(protocols(null)).toEqual(['events.v1']);
  const [, bearer = ''] = protocols('sécret?>~/+ü');
  expect(bearer).toMatch(/^bearer\.[A-Za-z0-9_-]+$/);
  const text = Buffer.from(bearer.slice('bearer.'.length), 'base64url').toString();
  expect(text).toBe('sécret?>~/+ü');
});

describe('the address of the events', () => {
  it.each([
    ['ws://127.0.0.1:3001/v1/events', 'tools.example', 'http:', 'ws://tools.example:3001/v1/events'],
    ['ws://0.0.0.0:3001/v1/events', '127.0.0.1', 'http:', 'ws://127.0.0.1:3001/v1/events'],
    ['ws://events.example/v1/events', 'tools.example', 'https:', 'wss://events.example/v1/events'],
  ])('%s seen from %s', (url, hostname, protocol, expected) => {
    expect(reachableUrl(url, { hostname, protocol })).toBe(expected);
  });
});

it('passes over what it does not know', () => {
  expect(readFrame('not json')).toEqual({ events: [], gap: false });
  expect(readFrame('{"type":"hello"}').events).toEqual([]);
  expect(readFrame('[null, 3, {"event_id":"1-0","id":"a","event":"dead"}]').events).toHaveLength(1);
});
