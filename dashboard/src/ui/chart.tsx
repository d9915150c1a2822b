import { useEffect, useRef, useState } from 'react';
import type { KeyboardEvent, PointerEvent, ReactNode } from 'react';
import {
  aboveZero,
  areaPath,
  largest,
  linePath,
  lonePoints,
  nearest,
  niceCeiling,
  scale,
  valueTicks,
} from '../lib/chart';
import type { Point } from '../lib/chart';

export interface Series {
  name: string;
  /** Picks the colour: one of the `line-…` classes. */
  tone: string;
  points: Point[];
  filled?: boolean;
  /** No line where it is zero: nothing to see is good. */
  quietAtZero?: boolean;
}

interface Props {
  title: string;
  series: Series[];
  format: (value: number) => string;
  /** The smallest value the axis reaches up to, so that silence does not look like a storm. */
  floor: number;
  /** The top of the axis for the largest value: `niceCeiling` without it. */
  ceiling?: (value: number) => number;
  /** ms: the edges. */
  from: number;
  to: number;
  ticks: readonly Tick[];
  /** `last 15 minutes`, for a screen reader. */
  span: string;
  /** The moment that is pointed at, in words. */
  when: (at: number) => string;
  /** The last point is of a time that still runs: the line to it is dashed, as what it says is not all. */
  running?: boolean;
}

/** A moment on the axis, and what stands beneath it. */
export interface Tick {
  at: number;
  label: string;
}

const HEIGHT = 176;
/** Of the labels, px: how wide a character is and how far they stand apart. */
const CHARACTER = 6.2;
const GAP = 12;
const PAD = { left: 56, right: 10, top: 12, bottom: 24 };

export function Chart({
  title,
  series,
  format,
  floor,
  ceiling = niceCeiling,
  from,
  to,
  ticks,
  span,
  when,
  running = false,
}: Props): ReactNode {
  const [width, box] = useWidth();
  const [at, setAt] = useState<number | null>(null);
  const top = ceiling(Math.max(floor, largest(series.map((line) => line.points))));
  const frame = {
    left: PAD.left,
    right: Math.max(width - PAD.right, PAD.left + 1),
    top: PAD.top,
    bottom: HEIGHT - PAD.bottom,
  };
  const by = scale(frame, from, to, top);
  const points = series[0]?.points ?? [];
  const index = at === null ? points.length - 1 : nearest(points, at);
  const shown = points[index];

  const follow = (event: PointerEvent<SVGSVGElement>): void => {
    const x = event.clientX - event.currentTarget.getBoundingClientRect().left;
    setAt(from + ((x - frame.left) / (frame.right - frame.left)) * (to - from));
  };
  const step = (event: KeyboardEvent): void => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move) return;
    event.preventDefault();
    setAt(points[Math.min(points.length - 1, Math.max(0, index + move))]?.at ?? null);
  };

  return (
    <figure
      className="chart"
      ref={box}
      tabIndex={0}
      aria-label={summary(`${title}, ${span}`, series, format)}
      onKeyDown={step}
      onBlur={() => setAt(null)}
    >
      <figcaption>
        <span className="chart-title">{title}</span>
        <Legend series={series} index={index} format={format} when={at === null || !shown ? null : when(shown.at)} />
      </figcaption>
      <svg width={width} height={HEIGHT} aria-hidden="true" onPointerMove={follow} onPointerLeave={() => setAt(null)}>
        <Axes top={top} frame={frame} by={by} format={format} ticks={ticks} />
        {series.map((line) => {
          const drawn = line.quietAtZero ? aboveZero(line.points) : line.points;
          const whole = running ? -1 : drawn.length;
          return (
            <g key={line.name} className={`line-${line.tone}`}>
              {line.filled && <path className="chart-area" d={areaPath(line.points.slice(0, whole), by)} />}
              <path className="chart-line" d={linePath(drawn.slice(0, whole), by)} />
              {running && <path className="chart-line chart-running" d={linePath(drawn.slice(-2), by)} />}
              {lonePoints(drawn).map((point) => (
                <circle key={point.at} className="chart-dot" cx={by.x(point.at)} cy={by.y(point.value)} r="2.5" />
              ))}
            </g>
          );
        })}
        {at !== null && shown && (
          <path className="chart-cursor" d={`M${by.x(shown.at).toFixed(1)} ${frame.top}V${frame.bottom}`} />
        )}
      </svg>
    </figure>
  );
}

interface LegendProps {
  series: Series[];
  index: number;
  format: (value: number) => string;
  when: string | null;
}

function Legend({ series, index, format, when }: LegendProps): ReactNode {
  return (
    <span className="legend figures">
      {when !== null && <span className="legend-when">{when}</span>}
      {series.map((line) => {
        const value = line.points[index]?.value;
        return (
          <span key={line.name} className={`legend-item line-${line.tone}`}>
            <svg width="14" height="8" aria-hidden="true">
              <path className="chart-line" d="M1 4H13" />
            </svg>{' '}
            {line.name} <b>{value === null || value === undefined ? '–' : format(value)}</b>
          </span>
        );
      })}
    </span>
  );
}

interface AxesProps {
  top: number;
  frame: { left: number; right: number; top: number; bottom: number };
  by: ReturnType<typeof scale>;
  format: (value: number) => string;
  ticks: readonly Tick[];
}

function Axes({ top, frame, by, format, ticks }: AxesProps): ReactNode {
  const needed = ticks.reduce((sum, tick) => sum + tick.label.length * CHARACTER + GAP, 0);
  const shown = needed <= frame.right - frame.left ? ticks : ticks.filter((_, n) => n === 0 || n === ticks.length - 1);
  return (
    <g className="axes">
      {valueTicks(top).map((value) => (
        <g key={value}>
          <path className="grid" d={`M${frame.left} ${by.y(value)}H${frame.right}`} />
          <text x={frame.left - 8} y={by.y(value) + 4} textAnchor="end">
            {format(value)}
          </text>
        </g>
      ))}
      {shown.map(({ at, label }, index) => (
        <text
          key={at}
          x={by.x(at)}
          y={HEIGHT - 5}
          textAnchor={index === 0 ? 'start' : index === shown.length - 1 ? 'end' : 'middle'}
        >
          {label}
        </text>
      ))}
    </g>
  );
}

/** What a screen reader hears in place of the picture. */
function summary(title: string, series: Series[], format: (value: number) => string): string {
  const lines = series.map((line) => {
    const values = line.points.flatMap((point) => (point.value === null ? [] : [point.value]));
    const last = values.at(-1);
    if (last === undefined) return `${line.name}: nothing yet`;
    return `${line.name} ${format(last)} at last, between ${format(Math.min(...values))} and ${format(Math.max(...values))}`;
  });
  return `${title}. ${lines.join('; ')}.`;
}

/** Of the element that the ref is given to, px. */
export function useWidth(): [number, React.RefObject<HTMLElement | null>] {
  const element = useRef<HTMLElement>(null);
  const [width, setWidth] = useState(480);
  useEffect(() => {
    if (!element.current) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setWidth(Math.floor(entry.contentRect.width));
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return [width, element];
}
