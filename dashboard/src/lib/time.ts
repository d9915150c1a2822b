const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Milliseconds since the epoch of an ISO 8601 text, or of a number that already is one; null when it is neither. */
export function parseMoment(value: string | number | null | undefined): number | null {
  if (value === null || value === undefined || value === '') return null;
  // Below 1e11 it is seconds: the service's own rule for numbers.
  const number = Number(value);
  if (Number.isFinite(number)) return Math.abs(number) < 1e11 ? number * SECOND : number;
  const parsed = Date.parse(String(value));
  return Number.isNaN(parsed) ? null : parsed;
}

/** A length of time in at most two units: `0.8 ms`, `340 ms`, `4.2 s`, `3 min 05 s`, `2 h 10 min`, `4 d 3 h`. */
export function formatSpan(ms: number): string {
  const span = Math.abs(ms);
  if (span < 10) return `${trimmed(span, 1)} ms`;
  if (span < SECOND) return `${Math.round(span)} ms`;
  if (span < 10 * SECOND) return `${trimmed(span / SECOND, 1)} s`;
  if (span < MINUTE) return `${Math.floor(span / SECOND)} s`;
  if (span < HOUR) return pair(span, MINUTE, 'min', SECOND, 's');
  if (span < DAY) return pair(span, HOUR, 'h', MINUTE, 'min');
  if (span < 100 * DAY) return pair(span, DAY, 'd', HOUR, 'h');
  return `${Math.floor(span / DAY)} d`;
}

function pair(span: number, big: number, bigUnit: string, small: number, smallUnit: string): string {
  const first = Math.floor(span / big);
  const rest = Math.floor((span % big) / small);
  if (rest === 0) return `${first} ${bigUnit}`;
  const second = smallUnit === 'h' ? String(rest) : String(rest).padStart(2, '0');
  return `${first} ${bigUnit} ${second} ${smallUnit}`;
}

function trimmed(value: number, digits: number): string {
  return value.toFixed(digits).replace(/\.0+$/, '');
}

/**
 * How long until a moment.  Whole seconds are rounded up, so that `in 1 s` never stands there after the moment, and
 * tenths are shown for the last ten seconds.
 */
export function formatCountdown(ms: number): string {
  if (ms <= -SECOND) return `${formatSpan(ms)} ago`;
  if (ms <= 0) return 'now';
  if (ms < 10 * SECOND) return `in ${(Math.ceil(ms / 100) / 10).toFixed(1)} s`;
  return `in ${formatSpan(Math.ceil(ms / SECOND) * SECOND)}`;
}

/** How often a countdown must be drawn again to be true, ms. */
export function countdownInterval(ms: number): number {
  return ms > 0 && ms < 11 * SECOND ? 100 : SECOND;
}

const parts: Intl.DateTimeFormatOptions = {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
};

/** `Fri, 1 Jan 2027, 09:00:00.250` in a time zone (the browser's when left out); `.000` is not written. */
export function formatMoment(ms: number, timeZone?: string): string {
  const text = new Intl.DateTimeFormat('en-GB', timeZone ? { ...parts, timeZone } : parts).format(ms);
  const rest = ((ms % SECOND) + SECOND) % SECOND;
  return rest === 0 ? text : `${text}.${String(Math.floor(rest)).padStart(3, '0')}`;
}

/**
 * `Sun, 28 Mar 2027, 03:00:00` and its offset of the service's `2027-03-28T03:00:00+02:00`.  The zone's name is not
 * needed: while one types it is half a name, and this browser may not know all of the service's.
 */
export function formatLocal(local: string): { text: string; offset: string } {
  const [, clock = local, offset = ''] = /^(.*?)([+-]\d\d:\d\d|Z)?$/.exec(local) ?? [];
  const at = Date.parse(`${clock}Z`);
  return { text: Number.isNaN(at) ? local : formatMoment(at, 'UTC'), offset: offset === 'Z' ? '+00:00' : offset };
}

const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });

/** `1 Jan 2027`: a day of UTC, as the history counts them. */
export function formatDay(ms: number): string {
  return day.format(ms);
}

const hour = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
});

/** `1 Jan, 09:00`, local. */
export function formatHour(ms: number): string {
  return hour.format(ms);
}

/** `today, 09:00:00.250`, or with its date when it is on another day than `now`; local. */
export function formatNear(ms: number, now: number): string {
  if (new Date(ms).toDateString() !== new Date(now).toDateString()) return formatMoment(ms);
  return `today, ${formatClock(ms).replace(/\.000$/, '')}`;
}

/** `09:00:00.250`, local. */
export function formatClock(ms: number): string {
  const date = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${clock}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** `2027-01-01T09:00:00` for a datetime-local input, in the browser's time zone. */
export function toLocalInput(ms: number): string {
  const date = new Date(ms - new Date(ms).getTimezoneOffset() * MINUTE);
  return date.toISOString().slice(0, 19);
}

export function browserTimeZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
}

/** How far the service's clock is ahead of this one (ms), taking the answer's time as the middle of the round trip. */
export function clockOffset(serverMs: number, sentMs: number, receivedMs: number): number {
  return serverMs - (sentMs + receivedMs) / 2;
}
