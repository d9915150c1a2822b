/** How often a call is sent again that failed for a reason that passes: no connection, 429, 502, 503, 504. */
export interface Retries {
  /** Repeats of one call; 0 for none. Default 3. */
  most?: number;
  /** Seconds, at most, before the first repeat; doubled with each one, and drawn between 0 and that. Default 0.25. */
  base?: number;
  /** Seconds that all waits of one call may take; a `Retry-After` that asks for more ends the call. Default 30. */
  longestWait?: number;
}

/** The seconds before this repeat (from 1 on); undefined: do not repeat. `asked`: what `Retry-After` says. */
export function waitBefore(
  repeat: number,
  { most = 3, base = 0.25, longestWait = 30 }: Retries,
  asked: number | undefined,
  waited: number,
): number | undefined {
  if (repeat > most) return undefined;
  const drawn = base * 2 ** (repeat - 1) * Math.random();
  // Never before the moment that the service named; a little after, so that not all clients come at once.
  const seconds = (asked ?? 0) + drawn;
  return waited + seconds <= longestWait ? seconds : undefined;
}

/** A `Retry-After`, seconds or an HTTP date, in seconds; undefined when there is none that can be read. */
export function retryAfter(value: string | null): number | undefined {
  if (value === null || value === '') return undefined;
  if (/^\d+$/.test(value)) return Number(value);
  const moment = /[a-z]/i.test(value) ? Date.parse(value) : NaN;
  return Number.isNaN(moment) ? undefined : Math.max(0, (moment - Date.now()) / 1000);
}

/** Wait, unless the caller gives up meanwhile. */
export function sleep(seconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const gaveUp = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', gaveUp);
      resolve();
    }, seconds * 1000);
    if (signal?.aborted) gaveUp();
    else signal?.addEventListener('abort', gaveUp, { once: true });
  });
}
