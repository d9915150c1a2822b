import { expect, it } from 'vitest';
import { isPinned, limitTexts, pinnedOf, pinRequest } from '../src/lib/flows';
import { destinationId } from '../src/lib/destinations';
import type { Flow } from '../src/lib/flows';

it('says what a flow key allows and where that comes from', () => {
  const flow = {
    limits: { concurrency: 5, rate: 10, period_ms: 60_000, ordered: true },
    sources: { concurrency: 'message', rate: 'pinned', ordered: null },
  } as Flow;
  expect(limitTexts(flow)).toEqual([
    { text: '5 at once', source: 'message' },
    { text: '10 per 1 min', source: 'pinned' },
    { text: 'in order', source: null },
  ]);
  const nothing = { concurrency: null, rate: null, period_ms: null, ordered: false };
  expect(limitTexts({ ...flow, limits: nothing })).toEqual([]);
});

it('takes a destination by its own name or by an address that leads there', () => {
  expect(destinationId('https:api.example.com:443')).toBe('https:api.example.com:443');
  expect(destinationId(' https://api.example.com/orders?a ')).toBe('https:api.example.com:443');
  expect(destinationId('http://[2001:db8::7]:8080/')).toBe('http:2001:db8::7:8080');
  expect(destinationId('ftp://example.com')).toBeNull();
  expect(destinationId('example')).toBeNull();
});

it('shows what is pinned in a form, and nothing else', () => {
  const flow = {
    limits: { concurrency: 5, rate: 10, period_ms: 90_000, ordered: false },
    sources: { concurrency: 'message', rate: 'pinned', ordered: 'pinned' },
  } as Flow;
  expect(pinnedOf(flow)).toEqual({ concurrency: '', rate: '10', period: '90', ordered: 'false' });
  expect(pinnedOf(null)).toEqual({ concurrency: '', rate: '', period: '', ordered: '' });
  expect(isPinned(flow)).toBe(true);
  expect(isPinned({ ...flow, sources: { concurrency: 'message', rate: null, ordered: null } })).toBe(false);
  expect(isPinned(null)).toBe(false);
});

it('pins what is filled in, and says what cannot be pinned', () => {
  const empty = { concurrency: '', rate: '', period: '', ordered: '' } as const;
  expect(pinRequest({ concurrency: ' 3 ', rate: '100', period: '1m', ordered: 'false' }).request).toEqual({
    concurrency: 3,
    rate: 100,
    period: '1m',
    ordered: false,
  });
  expect(pinRequest({ ...empty, concurrency: 'three' }).problems.map(({ field }) => field)).toEqual(['concurrency']);
  expect(pinRequest(empty).problems).toHaveLength(1);
});
