/** `#/messages?status=dead` → where to go and with which filters.  Hashes need nothing from the server. */
export type Route =
  | { view: 'overview' }
  | { view: 'messages'; filters: Filters }
  | { view: 'message'; id: string }
  | { view: 'new-message' }
  | { view: 'schedules'; filters: ScheduleFilters }
  | { view: 'schedule'; id: string }
  | { view: 'new-schedule' }
  | { view: 'flows' }
  | { view: 'flow'; id: string }
  | { view: 'over-time'; filters: OverTimeFilters }
  | { view: 'unknown' };

export const FILTER_KEYS = ['status', 'channel', 'type', 'priority', 'schedule', 'since', 'until'] as const;
export type Filters = Partial<Record<(typeof FILTER_KEYS)[number], string>>;
export const SCHEDULE_FILTER_KEYS = ['status', 'label'] as const;
export type ScheduleFilters = Partial<Record<(typeof SCHEDULE_FILTER_KEYS)[number], string>>;

export const OVER_TIME_KEYS = ['span', 'channel'] as const;
export type OverTimeFilters = Partial<Record<(typeof OVER_TIME_KEYS)[number], string>>;

/** Pages whose address is one word. */
const PLAIN = { schedule: 'new-message', 'new-schedule': 'new-schedule', flows: 'flows' } as const;

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?', 2);
  const [first = '', second = '', ...rest] = path.split('/').filter((part) => part !== '');
  if (first === '') return { view: 'overview' };
  if (rest.length > 0) return { view: 'unknown' };
  if (!second && Object.hasOwn(PLAIN, first)) return { view: PLAIN[first as keyof typeof PLAIN] };
  if (first === 'messages' && !second) return { view: 'messages', filters: parseFilters(FILTER_KEYS, query) };
  if (first === 'messages') return { view: 'message', id: decode(second) };
  if (first === 'schedules' && !second)
    return { view: 'schedules', filters: parseFilters(SCHEDULE_FILTER_KEYS, query) };
  if (first === 'over-time' && !second) return { view: 'over-time', filters: parseFilters(OVER_TIME_KEYS, query) };
  if (first === 'flows') return { view: 'flow', id: decode(second) };
  if (first === 'schedules') return { view: 'schedule', id: decode(second) };
  return { view: 'unknown' };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function parseFilters<K extends string>(keys: readonly K[], query: string): Partial<Record<K, string>> {
  const params = new URLSearchParams(query);
  const filters: Partial<Record<K, string>> = {};
  for (const key of keys) {
    const value = params.get(key);
    if (value) filters[key] = value;
  }
  return filters;
}

export function messageHref(id: string): string {
  return `#/messages/${encodeURIComponent(id)}`;
}

export function scheduleHref(id: string): string {
  return `#/schedules/${encodeURIComponent(id)}`;
}

export function flowHref(key: string): string {
  return `#/flows/${encodeURIComponent(key)}`;
}

export function messagesHref(filters: Filters): string {
  return listHref('#/messages', FILTER_KEYS, filters);
}

export function schedulesHref(filters: ScheduleFilters): string {
  return listHref('#/schedules', SCHEDULE_FILTER_KEYS, filters);
}

export function overTimeHref(filters: OverTimeFilters): string {
  return listHref('#/over-time', OVER_TIME_KEYS, filters);
}

function listHref<K extends string>(page: string, keys: readonly K[], filters: Partial<Record<K, string>>): string {
  const pairs = keys.flatMap((key) => (filters[key] ? [[key, filters[key]]] : []));
  const query = new URLSearchParams(pairs as [string, string][]).toString();
  return query ? `${page}?${query}` : page;
}
