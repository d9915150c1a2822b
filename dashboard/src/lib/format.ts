const whole = new Intl.NumberFormat('en-GB');
const NARROW_SPACE = '\u202f';

/** `12 480`: grouped by a narrow space, which no country reads as a decimal sign. */
export function formatCount(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  return whole.format(Math.round(value)).replaceAll(',', NARROW_SPACE);
}

/** A rate per second: one decimal where it matters. */
export function formatRate(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  if (value === 0 || value >= 10) return formatCount(value);
  return value < 0.1 ? '<0.1' : value.toFixed(1).replace('.0', '');
}

/** `14.2 MB` (decimal units, as Redis's own tools and disks count). */
export function formatBytes(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined || !Number.isFinite(bytes)) return '–';
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** `1 message`, `12 messages`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** `0.4 %` of a share from 0 to 1. */
export function formatShare(share: number): string {
  const percent = share * 100;
  if (percent === 0 || percent >= 10) return `${Math.round(percent)} %`;
  return percent < 0.1 ? '<0.1 %' : `${percent.toFixed(1).replace('.0', '')} %`;
}
