import { GAP } from './events';
import { messageHref, scheduleHref } from './route';
import type { Message, ServiceEvent, Status } from './types';

/** Lines kept in the live view; older ones are on the messages' own pages. */
export const FEED_SIZE = 200;

export interface FeedItem extends ServiceEvent {
  key: string;
}

export interface Feed {
  /** Newest first. */
  items: FeedItem[];
  /** All that came since the page was opened, those no longer shown included. */
  seen: number;
}

export const EMPTY_FEED: Feed = { items: [], seen: 0 };

/** One stream entry may carry many messages' events, so its id alone does not tell them apart. */
export function eventKey(event: ServiceEvent): string {
  return `${event.event_id}/${event.id}/${event.event}/${event.attempt ?? ''}`;
}

/** Adds events (oldest first, as they arrive); what is already there, as after a resume, is not added again. */
export function addEvents(feed: Feed, events: readonly ServiceEvent[]): Feed {
  const known = new Set(feed.items.map((item) => item.key));
  const fresh: FeedItem[] = [];
  let added = 0;
  for (const event of events) {
    const key = eventKey(event);
    if (known.has(key)) continue;
    known.add(key);
    added += 1;
    fresh.push({ ...event, key });
  }
  if (added === 0) return feed;
  const newest = fresh.slice(-FEED_SIZE).reverse();
  return { items: [...newest, ...feed.items].slice(0, FEED_SIZE), seen: feed.seen + added };
}

const TROUBLE = new Set([
  GAP,
  'retried',
  'released',
  'dead',
  'reaped',
  'schedule_skipped',
  'schedule_missed',
  'destination_opened',
]);

export function isTrouble(event: ServiceEvent): boolean {
  return TROUBLE.has(event.event);
}

/** An event as a line of the live list: its word, its mark, what it is about and where that is shown. */
export interface EventLine {
  word: string;
  kind: string;
  about: string;
  href: string;
}

const KINDS: Record<string, string> = {
  skipped: 'skipped',
  missed: 'skipped',
  opened: 'dead',
  half_open: 'processing',
  closed: 'delivered',
};

export function eventLine({ event, id, channel }: ServiceEvent): EventLine {
  const [, family, word = event] = /^(schedule|destination)_(.+)$/.exec(event) ?? [];
  if (!family) return { word: event, kind: event, about: channel ?? '', href: messageHref(id) };
  return {
    word: word.replaceAll('_', '-'),
    kind: KINDS[word] ?? 'updated',
    about: family,
    href: family === 'schedule' ? scheduleHref(id) : '#/flows',
  };
}

const STATUS_AFTER: Record<string, Status> = {
  claimed: 'processing',
  delivered: 'delivered',
  retried: 'scheduled',
  released: 'scheduled',
  reaped: 'scheduled',
  dead: 'dead',
  cancelled: 'cancelled',
  redriven: 'scheduled',
};

/** The messages of a list after these events, each in its place; the same list when none of them is meant. */
export function applyEvents(messages: Message[], events: readonly ServiceEvent[]): Message[] {
  const places = new Map(messages.map((message, index) => [message.id, index]));
  let changed: Message[] | null = null;
  for (const { id, event, attempt } of events) {
    const place = places.get(id);
    const status = STATUS_AFTER[event];
    if (place === undefined || !status) continue;
    changed ??= [...messages];
    const message = changed[place] as Message;
    changed[place] = {
      ...message,
      status,
      attempt: attempt ?? message.attempt,
    };
  }
  return changed ?? messages;
}
