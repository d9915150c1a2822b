/** A filter that matches little gives short, even empty, pages with a cursor: so many are asked for per click. */
export const MAX_REQUESTS = 20;

/** A part of a list, as one request answers it. */
export interface Page<T> {
  items: T[];
  /** Where the next page begins; null: there is no more. */
  next: string | null;
}

export interface Gathered<T> {
  items: T[];
  /** Where the next page begins; null: there is no more. */
  next: string | null;
  /** True when the search stopped early: nothing is wrong, there is only more to look through. */
  more: boolean;
}

export type Fetch<T> = (cursor: string | null, limit: number) => Promise<Page<T>>;

/** Fetches from `cursor` on until `want` items are found, there is no more, or `MAX_REQUESTS` were made. */
export async function gather<T>(fetch: Fetch<T>, cursor: string | null, want: number): Promise<Gathered<T>> {
  const items: T[] = [];
  let next = cursor;
  for (let request = 0; request < MAX_REQUESTS; request += 1) {
    const page = await fetch(next, want - items.length);
    items.push(...page.items);
    next = page.next;
    if (next === null || items.length >= want) return { items, next, more: false };
  }
  return { items, next, more: true };
}

/** The cursors of the pages seen so far; the last is the page in view (null: the first page). */
export type Trail = readonly (string | null)[];

export const FIRST_PAGE: Trail = [null];

export function forward(trail: Trail, next: string | null): Trail {
  return next === null ? trail : [...trail, next];
}

export function back(trail: Trail): Trail {
  return trail.length > 1 ? trail.slice(0, -1) : trail;
}

export function currentCursor(trail: Trail): string | null {
  return trail.at(-1) ?? null;
}
