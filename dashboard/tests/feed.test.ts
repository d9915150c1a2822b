import { describe, expect, it } from 'vitest';
import { addEvents, EMPTY_FEED, eventLine, FEED_SIZE, isTrouble } from '../src/lib/feed';
import type { ServiceEvent } from '../src/lib/types';

function event(number: number, part: Partial<ServiceEvent> = {}): ServiceEvent {
  return {
    event_id: `${number}-0`,
    id: `m${number}`,
    event: 'delivered',
    channel: 'echo',
    attempt: 1,
    at: number,
    ...part,
  };
}

describe('the feed', () => {
  it('shows the newest first', () => {
    const feed = addEvents(addEvents(EMPTY_FEED, [event(1), event(2)]), [event(3)]);
    expect(feed.items.map((item) => item.id)).toEqual(['m3', 'm2', 'm1']);
    expect(feed.seen).toBe(3);
  });

  it('does not show again what a resume brings twice', () => {
    const feed = addEvents(EMPTY_FEED, [event(1), event(2)]);
    expect(addEvents(feed, [event(2), event(1)])).toBe(feed);
  });

  it('keeps apart the events of one stream entry', () => {
    const together = [event(1, { id: 'a' }), event(1, { id: 'b' }), event(1, { id: 'a', event: 'scheduled' })];
    expect(addEvents(EMPTY_FEED, together).items).toHaveLength(3);
  });

  it('stays bounded, and goes on counting', () => {
    const flood = Array.from({ length: FEED_SIZE * 3 }, (_, index) => event(index));
    const feed = addEvents(EMPTY_FEED, flood);
    expect(feed.items).toHaveLength(FEED_SIZE);
    expect(feed.items[0]?.at).toBe(FEED_SIZE * 3 - 1);
    expect(feed.seen).toBe(FEED_SIZE * 3);
  });
});

it('tells trouble from the ordinary', () => {
  expect(['retried', 'dead', 'reaped', 'released'].every((name) => isTrouble(event(1, { event: name })))).toBe(true);
  expect(['scheduled', 'claimed', 'delivered', 'updated'].some((name) => isTrouble(event(1, { event: name })))).toBe(
    false,
  );
});

it('leads to what an event is about', () => {
  const line = (event: string, id: string, channel = 'webhook') => {
    return eventLine({ event_id: '1', event, id, channel, at: 0 });
  };
  expect(line('retried', 'm')).toEqual({ word: 'retried', kind: 'retried', about: 'webhook', href: '#/messages/m' });
  expect(line('schedule_skipped', 'nightly', 'schedule')).toEqual({
    word: 'skipped',
    kind: 'skipped',
    about: 'schedule',
    href: '#/schedules/nightly',
  });
  const opened = line('destination_half_open', 'https:example.com:443');
  expect(opened).toMatchObject({ word: 'half-open', about: 'destination', href: '#/flows' });
});
