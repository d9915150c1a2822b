import type { HistoryQuery } from './history';
import type { Page } from './paging';
import { parseMoment } from './time';
import type { Message } from './types';

/** Before a cursor of the history: the moment (ISO 8601, maybe empty) up to which the history is read. */
const MARK = 'history:';
const ENDED = ['delivered', 'dead', 'cancelled'];

type Live = (cursor: string | null, limit: number, signal: AbortSignal) => Promise<Page<Message>>;
type Past = (query: HistoryQuery, signal: AbortSignal) => Promise<Page<Message>>;

/**
 * One list of messages, first those that the service still holds, then the finished ones of the history.  What the
 * first part showed is in the history too; it is not shown again.
 */
export class Seam {
  private readonly seen = new Set<string>();
  /** ms: by status, the oldest finish that the first part showed. */
  private readonly oldest = new Map<string, number>();

  constructor(
    private readonly live: Live,
    private readonly past: Past,
    /** Resolves to whether there is a history. */
    private readonly kept: () => Promise<boolean>,
    private readonly filters: { status?: string; priority?: string },
  ) {}

  async page(cursor: string | null, limit: number, signal: AbortSignal): Promise<Page<Message>> {
    if (cursor?.startsWith(MARK)) return this.pastPage(cursor.slice(MARK.length), limit, signal);
    const page = await this.live(cursor, limit, signal);
    for (const message of page.items) this.remember(message);
    const goesOn = page.next === null && this.mayEnd() && (await this.kept());
    return goesOn ? { items: page.items, next: `${MARK}${this.bound()} ` } : page;
  }

  private async pastPage(place: string, limit: number, signal: AbortSignal): Promise<Page<Message>> {
    const [until = '', inner = ''] = place.split(' ', 2);
    const page = await this.past({ limit, ...(until && { until }), ...(inner && { cursor: inner }) }, signal);
    const { priority } = this.filters;
    return {
      items: page.items.filter(
        (message) => !this.seen.has(finish(message)) && (!priority || message.priority === priority),
      ),
      next: page.next === null ? null : `${MARK}${until} ${page.next}`,
    };
  }

  /** Whether what is asked for can be in the history: that of what has ended. */
  private mayEnd(): boolean {
    return this.filters.status !== 'scheduled' && this.filters.status !== 'processing';
  }

  private remember(message: Message): void {
    if (!ENDED.includes(message.status)) return;
    const at = parseMoment(message.updated_at) ?? 0;
    this.seen.add(finish(message));
    this.oldest.set(message.status, Math.min(at, this.oldest.get(message.status) ?? at));
  }

  /** Each status is kept for another time: the history begins where the first of them ended. */
  private bound(): string {
    const statuses = this.filters.status ? [this.filters.status] : ENDED;
    const ends = statuses.map((status) => this.oldest.get(status));
    if (ends.some((end) => end === undefined)) return '';
    return new Date(Math.max(...(ends as number[]))).toISOString();
  }
}

/** A message that was redriven has more than one. */
function finish(message: Message): string {
  return `${message.id} ${message.updated_at}`;
}
