import { describe, expect, it } from 'vitest';
import { back, currentCursor, FIRST_PAGE, forward, gather, MAX_REQUESTS } from '../src/lib/paging';
import type { Page } from '../src/lib/paging';

/** A store of `size` messages of which every `nth` matches; a request looks at 100 of them. */
function store(size: number, nth: number) {
  let requests = 0;
  const fetch = async (cursor: string | null, limit: number): Promise<Page<number>> => {
    requests += 1;
    const from = Number(cursor ?? 0);
    const items: number[] = [];
    let at = from;
    while (at < size && at < from + 100 && items.length < limit) {
      if (at % nth === 0) items.push(at);
      at += 1;
    }
    return { items, next: at < size ? String(at) : null };
  };
  return { fetch, requests: () => requests };
}

describe('a page', () => {
  it('is one request when everything matches', async () => {
    const { fetch, requests } = store(1_000, 1);
    const page = await gather(fetch, null, 50);
    expect(page.items).toHaveLength(50);
    expect(page).toMatchObject({ next: '50', more: false });
    expect(requests()).toBe(1);
  });

  it('is filled from several short answers when little matches, without a gap or a repeat', async () => {
    const { fetch } = store(2_000, 25);
    const first = await gather(fetch, null, 50);
    const second = await gather(fetch, first.next, 50);
    const ids = [...first.items, ...second.items];
    expect(ids).toEqual(Array.from({ length: 80 }, (_, index) => index * 25));
    expect(second.next).toBeNull();
  });

  it('stops looking after a while, and says that there is more', async () => {
    const { fetch, requests } = store(1_000_000, 999_999);
    const page = await gather(fetch, null, 50);
    expect(requests()).toBe(MAX_REQUESTS);
    expect(page).toMatchObject({ more: true, next: String(MAX_REQUESTS * 100) });
  });
});

it('goes forward and back through the cursors', () => {
  const second = forward(FIRST_PAGE, 'b');
  const third = forward(second, 'c');
  expect(currentCursor(third)).toBe('c');
  expect(currentCursor(back(third))).toBe('b');
  expect(currentCursor(back(back(third)))).toBeNull();
  expect(back(FIRST_PAGE)).toBe(FIRST_PAGE);
  expect(forward(third, null)).toBe(third);
});
