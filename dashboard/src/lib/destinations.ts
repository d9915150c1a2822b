import type { Http } from './http';

export type BreakerState = 'closed' | 'open' | 'half_open';

/** Where webhooks go and fail: scheme, host and port, and its circuit breaker. */
export interface Destination {
  /** `https:api.example.com:443` */
  id: string;
  /** open: no attempts but a probe every so often; half_open: a probe is under way. */
  state: BreakerState;
  /** Opened by hand: no probes either. */
  by_hand: boolean;
  /** Failed attempts in a row. */
  failures: number;
  failing_since: string | null;
  last_error: string | null;
  opened_at: string | null;
  next_probe_at: string | null;
  /** Until when the endpoint asked for a pause (429, 503). */
  held_until: string | null;
  note: string | null;
}

/** /v1/destinations. */
export class DestinationsApi {
  constructor(private readonly http: Http) {}

  async list(signal?: AbortSignal): Promise<Destination[]> {
    return (await this.http.call<{ destinations: Destination[] }>('v1/destinations', { signal })).destinations;
  }

  /** Nothing need be known of one that is opened. */
  set(id: string, to: 'open' | 'close', note: string): Promise<Destination> {
    const body = note ? { note } : {};
    return this.http.call(`v1/destinations/${encodeURIComponent(id)}/${to}`, { method: 'POST', body });
  }
}

/** A state's words, and the mark of a message that stands for it. */
export const STATE_WORDS: Record<BreakerState, { text: string; kind: string }> = {
  open: { text: 'open', kind: 'dead' },
  half_open: { text: 'half-open', kind: 'processing' },
  closed: { text: 'closed', kind: 'delivered' },
};

/** The id of what somebody typed: a destination's own form, or an address that leads there; null when it is neither. */
export function destinationId(text: string): string | null {
  const trimmed = text.trim();
  if (/^https?:[\w.:-]+:\d{1,5}$/.test(trimmed) && !trimmed.includes('//')) return trimmed;
  try {
    const { protocol, hostname, port } = new URL(trimmed);
    if (protocol !== 'http:' && protocol !== 'https:') return null;
    return `${protocol}${hostname.replace(/^\[|\]$/g, '')}:${port || (protocol === 'https:' ? 443 : 80)}`;
  } catch {
    return null;
  }
}
