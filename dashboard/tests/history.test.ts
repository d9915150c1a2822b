import { describe, expect, it } from 'vitest';
import { countsOverAll, HistoryApi, totals } from '../src/lib/history';
import type { HistoryQuery, Slot } from '../src/lib/history';
import { Http } from '../src/lib/http';
import { gather } from '../src/lib/paging';
import type { Gathered, Page } from '../src/lib/paging';
import { Seam } from '../src/lib/seam';
import type { Message, Status } from '../src/lib/types';

const signal = new AbortController().signal;

function ended(number: number, status: Status = 'delivered'): Message {
  const updated_at = new Date(number * 1000).toISOString();
  return { id: `m${number}`, status, updated_at, priority: number % 2 ? 'high' : 'low' } as Message;
}

/** Messages that ended, newest first: the service holds those from `held` on, the history has all. */
function service(all: Message[], held: Message[]) {
  const asked: HistoryQuery[] = [];
  const from = (list: Message[], cursor: string | null | undefined, limit: number): Page<Message> => {
    const start = Number(cursor ?? 0);
    return {
      items: list.slice(start, start + limit),
      next: start + limit < list.length ? String(start + limit) : null,
    };
  };
  const live = async (cursor: string | null, limit: number) => from(held, cursor, limit);
  const past = async (query: HistoryQuery) => {
    asked.push(query);
    const { until } = query;
    const list = all.filter((message) => !until || String(message.updated_at) <= until);
    return from(list, query.cursor, query.limit ?? 50);
  };
  return { live, past, asked };
}

async function walk(seam: Seam, size: number): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | null = null;
  do {
    const page: Gathered<Message> = await gather((from, limit) => seam.page(from, limit, signal), cursor, size);
    ids.push(...page.items.map((message) => message.id));
    cursor = page.next;
  } while (cursor !== null);
  return ids;
}

describe('a list of what has ended', () => {
  const all = Array.from({ length: 120 }, (_, n) => ended(120 - n));
  const ids = all.map((message) => message.id);

  it.each([0, 1, 7, 50, 120])('goes on into the history behind the %i that the service holds', async (count) => {
    const { live, past } = service(all, all.slice(0, count));
    const seam = new Seam(live, past, async () => true, { status: 'delivered' });
    expect(await walk(seam, 50)).toEqual(ids);
  });

  it('shows nothing twice when each status is kept for another time', async () => {
    const mixed = all.map((message, n) => (n % 10 === 3 ? { ...message, status: 'dead' as const } : message));
    const held = [...mixed.slice(0, 20), ...mixed.slice(20).filter((message) => message.status === 'dead')];
    const { live, past, asked } = service(mixed, held);
    const seam = new Seam(live, past, async () => true, {});
    expect((await walk(seam, 50)).sort()).toEqual([...ids].sort());
    // Nothing cancelled was seen: the history is asked from its newest on.
    expect(asked[0]?.until).toBeUndefined();
  });

  it('leaves out other priorities, of which the history is not asked', async () => {
    const { live, past } = service(all, []);
    const seam = new Seam(live, past, async () => true, { status: 'delivered', priority: 'high' });
    expect(await walk(seam, 50)).toHaveLength(60);
  });

  it('ends where there is no history, or where it cannot hold what is asked for', async () => {
    const { live, past, asked } = service(all, all.slice(0, 7));
    expect(await walk(new Seam(live, past, async () => false, {}), 50)).toHaveLength(7);
    expect(await walk(new Seam(live, past, async () => true, { status: 'scheduled' }), 50)).toHaveLength(7);
    expect(asked).toEqual([]);
  });
});

describe('figures over time', () => {
  const slot = (at: number, channel: string, delivered: number, dead: number): Slot => {
    return { at, channel, delivered, dead, cancelled: 1, failure_rate: null, lateness_ms: { p50: 1, p99: 2 } };
  };
  const slots = [slot(0, 'webhook', 6, 2), slot(0, 'echo', 0, 0), slot(1, 'webhook', 3, 1)];

  it('are added up by channel and by time', () => {
    expect(totals(slots)).toEqual([
      { channel: 'echo', delivered: 0, dead: 0, cancelled: 1, failureRate: null },
      { channel: 'webhook', delivered: 9, dead: 3, cancelled: 2, failureRate: 0.25 },
    ]);
    expect(countsOverAll(slots)).toEqual([
      { at: 0, delivered: 6, dead: 2, cancelled: 2 },
      { at: 1, delivered: 3, dead: 1, cancelled: 1 },
    ]);
  });
});

it('asks once whether there is a history', async () => {
  let calls = 0;
  const http = new Http('http://h/', () => null, (async () => {
    calls += 1;
    return new Response('{}', { status: 404 });
  }) as typeof fetch);
  const api = new HistoryApi(http);
  expect([await api.isKept(), await api.isKept()]).toEqual([false, false]);
  expect(calls).toBe(1);
});
