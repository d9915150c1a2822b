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

/** A body as JSON. Throws a RangeError for an invalid Date, NaN or Infinity: JSON would have null, which means "now". */
export function bodyOf(body: unknown): string {
  return JSON.stringify(body, function (this: Record<string, unknown>, name: string, value: unknown) {
    const given = this[name];
    if (given instanceof Date && Number.isNaN(given.getTime())) throw new RangeError(`${name} is an invalid Date`);
    if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError(`${name} is ${value}`);
    return value;
  });
}

export function isRedirect({ status, type }: Response): boolean {
  return type === 'opaqueredirect' || (status >= 300 && status < 400);
}

export function redirected(url: string, response: Response): SchedulerError {
  const there = response.headers.get('location');
  return new SchedulerError(`${url} redirects${there ? ` to ${there}` : ''}: give the client the address there`);
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
