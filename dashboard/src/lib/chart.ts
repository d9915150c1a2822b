/** The arithmetic of the charts: scales, ticks and paths.  Nothing here draws. */

export interface Point {
  /** Milliseconds since the epoch. */
  at: number;
  /** Null where nothing was measured: the line has a gap there. */
  value: number | null;
}

export interface Frame {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface Scale {
  x: (at: number) => number;
  y: (value: number) => number;
}

/** A round number at or above `value` whose half is round too. */
export function niceCeiling(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((factor) => factor * power >= value * (1 - 1e-9)) ?? 10;
  return step * power;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const SPANS = [1, 2, 4, 10, 20, 30, 60].map((minutes) => minutes * MINUTE);

/** The same for a length of time in ms: `10 min`, not `13 min 20 s`. */
export function niceSpan(ms: number): number {
  if (ms <= 0.5 * MINUTE) return niceCeiling(ms);
  return SPANS.find((span) => span >= ms) ?? niceCeiling(ms / (2 * HOUR)) * 2 * HOUR;
}

/** The values of the horizontal lines: zero, half and top. */
export function valueTicks(top: number): number[] {
  return [0, top / 2, top];
}

export function scale(frame: Frame, from: number, to: number, top: number): Scale {
  const width = frame.right - frame.left;
  const height = frame.bottom - frame.top;
  return {
    x: (at) => frame.left + ((at - from) / (to - from)) * width,
    y: (value) => frame.bottom - (Math.min(value, top) / top) * height,
  };
}

/** An SVG path through the points; gaps break it.  Of a point between two gaps nothing is seen: `lonePoints`. */
export function linePath(points: readonly Point[], { x, y }: Scale): string {
  let path = '';
  points.forEach(({ at, value }, index) => {
    if (value === null) return;
    path += `${isGap(points[index - 1]) ? 'M' : 'L'}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
  });
  return path;
}

/** The points between two gaps, which no line shows: the only ones in the first hour of a service. */
export function lonePoints(points: readonly Point[]): { at: number; value: number }[] {
  return points.flatMap(({ at, value }, index) =>
    value !== null && isGap(points[index - 1]) && isGap(points[index + 1]) ? [{ at, value }] : [],
  );
}

function isGap(point: Point | undefined): boolean {
  return (point?.value ?? null) === null;
}

/** The points without the stretches at zero, but for the ends of each rise: a line along the axis says nothing. */
export function aboveZero(points: readonly Point[]): Point[] {
  return points.map((point, index) => {
    const near = [points[index - 1], point, points[index + 1]];
    return near.some((other) => other?.value) ? point : { ...point, value: null };
  });
}

/** The same line closed down to zero, for a filled area.  Expects no gaps. */
export function areaPath(points: readonly Point[], by: Scale): string {
  const first = points[0];
  const last = points.at(-1);
  if (!first || !last) return '';
  const base = by.y(0).toFixed(1);
  return `${linePath(points, by)}L${by.x(last.at).toFixed(1)} ${base}L${by.x(first.at).toFixed(1)} ${base}Z`;
}

/** Index of the point nearest to a moment; -1 when there is none. */
export function nearest(points: readonly Point[], at: number): number {
  let best = -1;
  let distance = Infinity;
  points.forEach((point, index) => {
    const away = Math.abs(point.at - at);
    if (away < distance) [best, distance] = [index, away];
  });
  return best;
}

export function largest(series: readonly (readonly Point[])[]): number {
  let top = 0;
  for (const points of series) {
    for (const point of points) if (point.value !== null && point.value > top) top = point.value;
  }
  return top;
}

/** The part of the history that a chart shows. */
export interface Span {
  /** ms: the left edge. */
  from: number;
  /** ms: the right edge. */
  to: number;
  /** ms: how long one point of the history lasts. */
  step: number;
}

/**
 * One series of the service's history: a point for every step of the span.  Steps that the service left out are drawn as
 * `missing`: 0 for rates (nothing happened), null for measurements (nothing was measured).  The step that is still running
 * is left out: half of it would look like a fall.
 */
export function historySeries<T extends { at: number }>(
  history: readonly T[],
  { from, to, step }: Span,
  value: (point: T) => number | null | undefined,
  missing: 0 | null,
): Point[] {
  const known = new Map(history.map((point) => [Math.floor(point.at / step), point]));
  const points: Point[] = [];
  for (let slot = Math.ceil(from / step); (slot + 1) * step <= to; slot += 1) {
    const point = known.get(slot);
    points.push({ at: slot * step, value: (point && value(point)) ?? missing });
  }
  return points;
}
