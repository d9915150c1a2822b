import { ApiError } from './http';
import type { Http } from './http';
import type { Page } from './paging';
import { parseMoment } from './time';
import type { Message, MessagePage } from './types';

/** The figures of one channel in one hour or day. */
export interface Slot {
  /** ms: its start. */
  at: number;
  channel: string;
  delivered: number;
  dead: number;
  cancelled: number;
  /** Dead letters out of what was delivered or died; null when there was none. */
  failure_rate: number | null;
  lateness_ms: { p50: number | null; p99: number | null };
}

export interface HistoryQuery {
  status?: string;
  channel?: string;
  type?: string;
  schedule?: string;
  since?: string;
  until?: string;
  limit?: number;
  cursor?: string | undefined;
}

export interface SummaryQuery {
  by: 'hour' | 'day';
  since: string;
  channel?: string;
}

/** /v1/history. */
export class HistoryApi {
  private kept: Promise<boolean> | null = null;

  constructor(private readonly http: Http) {}

  /** Whether this service keeps a history; asked once. */
  isKept(): Promise<boolean> {
    this.kept ??= this.list({ limit: 1 }).then(
      () => true,
      (error: unknown) => {
        if (error instanceof ApiError && error.status === 404) return false;
        this.kept = null;
        throw error;
      },
    );
    return this.kept;
  }

  async list(query: HistoryQuery, signal?: AbortSignal): Promise<Page<Message>> {
    const answer = await this.http.call<MessagePage>('v1/history', { query: { ...query }, signal });
    return { items: answer.messages, next: answer.next_cursor };
  }

  async summary(query: SummaryQuery, signal?: AbortSignal): Promise<Slot[]> {
    const answer = await this.http.call<{ slots: (Omit<Slot, 'at'> & { at: string })[] }>('v1/history/summary', {
      query: { ...query },
      signal,
    });
    return answer.slots.map((slot) => ({ ...slot, at: parseMoment(slot.at) ?? 0 }));
  }
}

export interface Spell {
  by: 'hour' | 'day';
  steps: number;
}

export const STEP_MS = { hour: 3_600_000, day: 86_400_000 } as const;

/** What the page over time shows, by the word in its address. */
export const SPELLS = {
  '2d': { by: 'hour', steps: 48 },
  '30d': { by: 'day', steps: 30 },
  '1y': { by: 'day', steps: 366 },
} as const satisfies Record<string, Spell>;
export type SpellName = keyof typeof SPELLS;

export interface Total {
  channel: string;
  delivered: number;
  dead: number;
  cancelled: number;
  /** 0 to 1; null when nothing was delivered and nothing died. */
  failureRate: number | null;
}

/** The counts of each channel over all slots. */
export function totals(slots: readonly Slot[]): Total[] {
  const sums = new Map<string, Total>();
  for (const { channel, delivered, dead, cancelled } of slots) {
    const sum = sums.get(channel) ?? { channel, delivered: 0, dead: 0, cancelled: 0, failureRate: null };
    sum.delivered += delivered;
    sum.dead += dead;
    sum.cancelled += cancelled;
    sum.failureRate = sum.delivered + sum.dead > 0 ? sum.dead / (sum.delivered + sum.dead) : null;
    sums.set(channel, sum);
  }
  return [...sums.values()].sort((a, b) => a.channel.localeCompare(b.channel));
}

/** The counts of all channels in each slot. */
export function countsOverAll(
  slots: readonly Slot[],
): { at: number; delivered: number; dead: number; cancelled: number }[] {
  const sums = new Map<number, { at: number; delivered: number; dead: number; cancelled: number }>();
  for (const slot of slots) {
    const { at } = slot;
    const sum = sums.get(at) ?? { at, delivered: 0, dead: 0, cancelled: 0 };
    sum.delivered += slot.delivered;
    sum.dead += slot.dead;
    sum.cancelled += slot.cancelled;
    sums.set(at, sum);
  }
  return [...sums.values()];
}
