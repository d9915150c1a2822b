import { formatCount } from './format';
import type { Http } from './http';
import type { Page } from './paging';
import { formatSpan } from './time';
import type { FieldProblem, Json } from './types';

/** Where a limit comes from. */
export type LimitSource = 'message' | 'settings' | 'pinned';

export interface Flow {
  key: string;
  /** Messages that wait for their moment, or for the key. */
  scheduled: number;
  /** Those of them that are due. */
  waiting: number;
  in_flight: number;
  limits: {
    concurrency: number | null;
    /** Attempts that may begin in each period. */
    rate: number | null;
    period_ms: number | null;
    ordered: boolean;
  };
  sources: Record<'concurrency' | 'rate' | 'ordered', LimitSource | null>;
  window: { used: number; ends_at: string } | null;
  paused: boolean;
  /** Null: not paused, or until it is resumed. */
  paused_until: string | null;
  oldest_due_at: string | null;
  /** Null: none waits, the key is full, or paused until it is resumed. */
  next_at: string | null;
}

/** /v1/flows. */
export class FlowsApi {
  constructor(private readonly http: Http) {}

  async list(query: Record<string, string | number | undefined>, signal?: AbortSignal): Promise<Page<Flow>> {
    const answer = await this.http.call<{ flows: Flow[]; next_cursor: string | null }>('v1/flows', { query, signal });
    return { items: answer.flows, next: answer.next_cursor };
  }

  one(key: string, signal?: AbortSignal): Promise<Flow> {
    return this.http.call(path(key), { signal });
  }

  /** Fixes limits of a key, whatever messages say; what was pinned before is replaced. */
  pin(key: string, limits: Json): Promise<Flow> {
    return this.http.call(path(key), { method: 'PUT', body: limits });
  }

  unpin(key: string): Promise<Flow> {
    return this.http.call(path(key), { method: 'DELETE' });
  }

  act(key: string, verb: 'pause' | 'resume' | 'reset'): Promise<Flow> {
    return this.http.call(`${path(key)}/${verb}`, { method: 'POST' });
  }
}

function path(key: string): string {
  return `v1/flows/${encodeURIComponent(key)}`;
}

export interface LimitText {
  text: string;
  source: LimitSource | null;
}

/** `5 at once`, `10 per 1 min`, `in order`, each with where it comes from. */
export function limitTexts({ limits, sources }: Flow): LimitText[] {
  const found: LimitText[] = [];
  if (limits.concurrency !== null)
    found.push({ text: `${formatCount(limits.concurrency)} at once`, source: sources.concurrency });
  if (limits.rate !== null)
    found.push({ text: `${formatCount(limits.rate)} per ${formatSpan(limits.period_ms ?? 0)}`, source: sources.rate });
  if (limits.ordered) found.push({ text: 'in order', source: sources.ordered });
  return found;
}

/** What is pinned; left empty, messages and settings decide. */
export interface PinForm {
  concurrency: string;
  rate: string;
  period: string;
  ordered: '' | 'true' | 'false';
}

/** The form of what is pinned now. */
export function pinnedOf(flow: Flow | null): PinForm {
  const { limits, sources } = flow ?? { limits: null, sources: null };
  const pinned = (name: 'concurrency' | 'rate'): string =>
    sources?.[name] === 'pinned' ? String(limits?.[name] ?? '') : '';
  return {
    concurrency: pinned('concurrency'),
    rate: pinned('rate'),
    period: sources?.rate === 'pinned' ? String((limits?.period_ms ?? 0) / 1000) : '',
    ordered: sources?.ordered === 'pinned' ? (limits?.ordered ? 'true' : 'false') : '',
  };
}

export function isPinned(flow: Flow | null): boolean {
  return flow !== null && Object.values(flow.sources).includes('pinned');
}

/** The body that pins this, or what is wrong with it. */
export function pinRequest(form: PinForm): { request: { [key: string]: Json }; problems: FieldProblem[] } {
  const request: { [key: string]: Json } = {};
  const problems: FieldProblem[] = [];
  for (const name of ['concurrency', 'rate'] as const) {
    const text = form[name].trim();
    if (text && !/^\d+$/.test(text)) problems.push({ field: name, message: 'Write a whole number.' });
    else if (text) request[name] = Number(text);
  }
  if (form.period.trim()) request['period'] = form.period.trim();
  if (form.ordered) request['ordered'] = form.ordered === 'true';
  if (problems.length === 0 && Object.keys(request).length === 0)
    problems.push({ field: '', message: 'Nothing to pin: fill in a limit, or unpin the key.' });
  return { request, problems };
}
