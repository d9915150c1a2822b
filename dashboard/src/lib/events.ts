import type { ServiceEvent } from './types';

/** `live`: events arrive.  `waiting`: cut off, trying again by itself.  `off`: the service offers no events. */
export type StreamState = 'off' | 'connecting' | 'live' | 'waiting';

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;
/** A connection that held so long (ms) was a good one: the next delay starts small again. */
const SETTLED_MS = 5_000;
/** Events are handed on in batches, so that 1,000 a second draw four times a second. */
const FLUSH_MS = 250;
const BUFFER_SIZE = 5_000;
/** Stands in the list where events are missing. */
export const GAP = 'gap';
const NORMAL_CLOSURE = 1000;

/** The part of a WebSocket that is used here; tests bring their own. */
export interface Socket {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  close(code?: number): void;
}

export interface StreamOptions {
  url: string;
  token: () => string | null;
  onEvents: (events: ServiceEvent[]) => void;
  onState: (state: StreamState, reason: string) => void;
  open?: (url: string, protocols: string[]) => Socket;
  random?: () => number;
  now?: () => number;
}

/** Delay before the nth try again (n from 0), ms: doubled each time, half of it by chance so that viewers spread. */
export function reconnectDelay(failures: number, random: number): number {
  const ceiling = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures);
  return ceiling / 2 + (ceiling / 2) * random;
}

/** The token travels as a subprotocol: browsers cannot set headers on a WebSocket, and addresses end up in logs. */
export function protocols(token: string | null): string[] {
  return token ? ['events.v1', `bearer.${base64url(token)}`] : ['events.v1'];
}

function base64url(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');
}

/**
 * The address to connect to from this page: a server that listens on every interface, or on loopback behind a
 * forwarded port, cannot know the name it is reached by, the page does.
 */
export function reachableUrl(eventsUrl: string, page: { hostname: string; protocol: string }): string {
  const url = new URL(eventsUrl);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (['0.0.0.0', '::', '127.0.0.1', '::1', 'localhost'].includes(host)) url.hostname = page.hostname;
  if (page.protocol === 'https:') url.protocol = 'wss:';
  return url.toString();
}

/** One connection to the events, kept up by itself, going on after the last event it saw. */
export class EventStream {
  private socket: Socket | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private flushTimer: ReturnType<typeof setTimeout> | null = null;
  private buffer: ServiceEvent[] = [];
  private failures = 0;
  private openedAt = 0;
  private lastEventId: string | null = null;
  private stopped = false;

  constructor(private readonly options: StreamOptions) {}

  start(): void {
    this.stopped = false;
    this.connect();
  }

  stop(): void {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    this.flush();
    const socket = this.socket;
    this.socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close(NORMAL_CLOSURE);
    }
  }

  private connect(): void {
    this.timer = null;
    this.options.onState('connecting', '');
    const open = this.options.open ?? ((url, names) => new WebSocket(url, names) as Socket);
    const socket = open(this.address(), protocols(this.options.token()));
    this.socket = socket;
    socket.onopen = () => {
      this.openedAt = this.now();
      this.options.onState('live', '');
    };
    socket.onmessage = (event) => this.receive(event.data);
    socket.onclose = (event) => this.closed(event.reason);
  }

  private address(): string {
    const url = new URL(this.options.url);
    if (this.lastEventId !== null) url.searchParams.set('last_event_id', this.lastEventId);
    return url.toString();
  }

  private receive(data: unknown): void {
    const { events, gap } = readFrame(data);
    for (const event of events) {
      this.lastEventId = event.event_id;
      this.buffer.push(event);
    }
    if (gap) this.buffer.push({ event_id: `gap ${this.now()}`, id: '', event: GAP, at: this.now() });
    // A hidden tab's timers run once a minute: keep the newest, not all of it.
    if (this.buffer.length > BUFFER_SIZE) this.buffer.splice(0, this.buffer.length - BUFFER_SIZE);
    if (this.buffer.length > 0) this.flushTimer ??= setTimeout(() => this.flush(), FLUSH_MS);
  }

  private flush(): void {
    if (this.flushTimer !== null) clearTimeout(this.flushTimer);
    this.flushTimer = null;
    const events = this.buffer;
    this.buffer = [];
    if (events.length > 0) this.options.onEvents(events);
  }

  private closed(reason: string): void {
    this.socket = null;
    if (this.stopped) return;
    this.failures = this.openedAt > 0 && this.now() - this.openedAt >= SETTLED_MS ? 0 : this.failures + 1;
    this.openedAt = 0;
    this.options.onState('waiting', reason);
    const random = this.options.random ?? Math.random;
    this.timer = setTimeout(() => this.connect(), reconnectDelay(Math.max(0, this.failures - 1), random()));
  }

  private now(): number {
    return (this.options.now ?? Date.now)();
  }
}

interface Frame {
  events: ServiceEvent[];
  /** True when the service says that it lost some: more came than it keeps while this page was away. */
  gap: boolean;
}

/** A frame is an event, an array of them, or a word of the service; what a later version adds is passed over. */
export function readFrame(data: unknown): Frame {
  let parsed: unknown;
  try {
    parsed = JSON.parse(String(data));
  } catch {
    return { events: [], gap: false };
  }
  const parts: unknown[] = Array.isArray(parsed) ? parsed : [parsed];
  return {
    events: parts.filter(isEvent),
    gap: parts.some((part) => (part as { type?: unknown } | null)?.type === 'gap'),
  };
}

function isEvent(value: unknown): value is ServiceEvent {
  if (value === null || typeof value !== 'object') return false;
  const { event_id, id, event } = value as Record<string, unknown>;
  return typeof event_id === 'string' && typeof id === 'string' && typeof event === 'string';
}
