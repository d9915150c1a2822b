import { describe, expect, it } from 'vitest';
import { messageHref, messagesHref, parseRoute } from '../src/lib/route';

describe('a hash', () => {
  it.each([
    ['', { view: 'overview' }],
    ['#/', { view: 'overview' }],
    ['#/schedule', { view: 'new-message' }],
    ['#/schedules?label=reports', { view: 'schedules', filters: { label: 'reports' } }],
    ['#/schedules/nightly', { view: 'schedule', id: 'nightly' }],
    ['#/new-schedule', { view: 'new-schedule' }],
    ['#/toString', { view: 'unknown' }],
    ['#/messages', { view: 'messages', filters: {} }],
    ['#/messages?status=dead&colour=red', { view: 'messages', filters: { status: 'dead' } }],
    ['#/messages/a%2Fb', { view: 'message', id: 'a/b' }],
    ['#/messages/50%', { view: 'message', id: '50%' }],
    ['#/nowhere', { view: 'unknown' }],
    ['#/messages/a/b', { view: 'unknown' }],
  ])('%s leads to %o', (hash, route) => {
    expect(parseRoute(hash)).toEqual(route);
  });

  it('comes back from what was written', () => {
    const filters = { status: 'scheduled', since: '2027-01-01T00:00:00.000Z', type: 'a&b' };
    expect(parseRoute(messagesHref(filters))).toEqual({ view: 'messages', filters });
    expect(parseRoute(messageHref('own id?/#'))).toEqual({ view: 'message', id: 'own id?/#' });
  });
});
