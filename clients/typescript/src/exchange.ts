// What one call needs between its first request and its answer.
import { SchedulerError, Unreachable } from './errors.js';
import type { Route } from './routes.js';

/** A whole answer. */
export interface Answered {
  response: Response;
  text: string;
}

interface Paged {
  next_cursor: string | null;
}

const PASSES = new Set([429, 502, 503, 504]);
/** Codes of Node for a request that never left. */
const NEVER_LEFT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT']);

/** The items of all pages. */
export async function* each<Page extends Paged, Item>(
  fetchPage: (cursor: { cursor?: string }) => Promise<Page>,
  itemsOf: (page: Page) => readonly Item[],
): AsyncGenerator<Item, void> {
  for (let cursor: { cursor?: string } | undefined = {}; cursor; ) {
    const page: Page = await fetchPage(cursor);
    yield* itemsOf(page);
    cursor = page.next_cursor === null ? undefined : { cursor: page.next_cursor };
  }
}

/** The JSON of an answer. */
export function jsonOf(text: string, url: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    throw new SchedulerError(`${url} answered no JSON: is the service there?`);
  }
}

/** Whether to send a request again may help, and does no harm. */
export function mayPass(route: Route, outcome: Answered | Error): boolean {
  if (outcome instanceof Error) return !route.once || NEVER_LEFT.has(codeOf(outcome));
  // 429 is answered before anything is done.
  return PASSES.has(outcome.response.status) && (!route.once || outcome.response.status === 429);
}

function codeOf(error: Error): string {
  const cause = error.cause as { code?: unknown } | undefined;
  return String(cause?.code ?? '');
}

export function unreachable(route: Route, url: string, error: Error): Unreachable {
  const why = error.cause instanceof Error ? `${error.message}, ${error.cause.message}` : error.message;
  return new Unreachable(`${route.method} ${url}: ${why}`, { cause: error });
}

/** An `Idempotency-Key`. */
export function randomKey(): string {
  // Not crypto.randomUUID: browsers have it on https pages only.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function environment(name: string): string | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  return process?.env?.[name] || undefined;
}
