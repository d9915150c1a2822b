import type { Http } from './http';
import type { Page } from './paging';
import { formatCount } from './format';

/** What a flow key allows; null where nothing is said. */
export interface FlowLimits {
  concurrency: number | null;
  /** Attempts begun per `period`. */
  rate: number | null;
  period: string | number | null;
  ordered: boolean | null;
}

/** Where a limit comes from. */
export type LimitSource = 'message' | 'settings' | 'pinned';

export interface Flow {
  key: string;
  /** Due, and waiting at the key. */
  waiting: number;
  in_flight: number;
  limits: FlowLimits;
  sources: Partial<Record<keyof FlowLimits, LimitSource | null>>;
  window: { used: number; ends_at: string | null } | null;
  paused: boolean;
  paused_until: string | null;
  oldest_due_age_ms: number | null;
  /** The moment at which a message may go next. */
  next_at: string | null;
}

/** /v1/flows. */
export class FlowsApi {
  constructor(private readonly http: Http) {}

  async list(query: Record<string, string | number | undefined>, signal?: AbortSignal): Promise<Page<Flow>> {
    const answer = await this.http.call<{ flows: Flow[]; next_cursor: string | null }>('v1/flows', { query, signal });
    return { items: answer.flows, next: answer.next_cursor };
  }

  async act(key: string, verb: 'pause' | 'resume' | 'reset'): Promise<void> {
    await this.http.call(`v1/flows/${encodeURIComponent(key)}/${verb}`, { method: 'POST' });
  }
}

export interface LimitText {
  text: string;
  source: LimitSource | null;
}

/** `5 at once`, `10 per 1m`, `in order`, each with where it comes from. */
export function limitTexts({ limits, sources }: Flow): LimitText[] {
  const found: LimitText[] = [];
  const add = (name: keyof FlowLimits, text: string): void => {
    found.push({ text, source: sources[name] ?? null });
  };
  if (limits.concurrency !== null) add('concurrency', `${formatCount(limits.concurrency)} at once`);
  if (limits.rate !== null) add('rate', `${formatCount(limits.rate)} per ${limits.period}`);
  if (limits.ordered) add('ordered', 'in order');
  return found;
}
