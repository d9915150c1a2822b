/** `#/messages?status=dead` → where to go and with which filters.  Hashes need nothing from the server. */
export type Route =
  | { view: 'overview' }
  | { view: 'messages'; filters: Filters }
  | { view: 'message'; id: string }
  | { view: 'schedule' }
  | { view: 'unknown' };

export const FILTER_KEYS = ['status', 'channel', 'type', 'priority', 'since', 'until'] as const;
export type Filters = Partial<Record<(typeof FILTER_KEYS)[number], string>>;

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?', 2);
  const [first = '', second = '', ...rest] = path.split('/').filter((part) => part !== '');
  if (first === '') return { view: 'overview' };
  if (rest.length > 0) return { view: 'unknown' };
  if (first === 'schedule' && !second) return { view: 'schedule' };
  if (first === 'messages' && !second) return { view: 'messages', filters: parseFilters(query) };
  if (first === 'messages') return { view: 'message', id: decode(second) };
  return { view: 'unknown' };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function parseFilters(query: string): Filters {
  const params = new URLSearchParams(query);
  const filters: Filters = {};
  for (const key of FILTER_KEYS) {
    const value = params.get(key);
    if (value) filters[key] = value;
  }
  return filters;
}

export function messageHref(id: string): string {
  return `#/messages/${encodeURIComponent(id)}`;
}

export function messagesHref(filters: Filters): string {
  const pairs = FILTER_KEYS.flatMap((key) => (filters[key] ? [[key, filters[key]]] : []));
  const query = new URLSearchParams(pairs as [string, string][]).toString();
  return query ? `#/messages?${query}` : '#/messages';
}
