import type { ReactNode } from 'react';
import { useService } from '../state/service';
import { historySeries, niceSpan } from '../lib/chart';
import { formatRate } from '../lib/format';
import { formatClock, formatSpan } from '../lib/time';
import type { Stats } from '../lib/types';
import { Chart } from './chart';

const MINUTE = 60_000;
const WINDOW_MS = 15 * MINUTE;
const TICKS = [15, 10, 5, 0];
const STEP_MS = 10_000;
/** Every process reports a step with its next heartbeats: until then its part is missing, and would look like a fall. */
const REPORTED_WITHIN_MS = 3_000;
const LATENESS_FLOOR_MS = 10;

export function Charts({ stats }: { stats: Stats }): ReactNode {
  const { now } = useService();
  const end = now();
  const history = stats.history ?? [];
  const span = { from: end - WINDOW_MS, to: end - REPORTED_WITHIN_MS, step: STEP_MS };
  const perSecond = (count: number | undefined): number => ((count ?? 0) * 1000) / STEP_MS;
  const common = {
    from: end - WINDOW_MS,
    to: end,
    span: 'last 15 minutes',
    when: (at: number) => formatClock(at).slice(0, 8),
    ticks: TICKS.map((ago) => ({ at: end - ago * MINUTE, label: ago ? `−${ago} min` : 'now' })),
  };
  return (
    <section className="charts" aria-label="Last 15 minutes">
      <Chart
        {...common}
        title="Messages per second"
        format={formatRate}
        floor={1}
        series={[
          {
            name: 'delivered',
            tone: 'delivered',
            filled: true,
            points: historySeries(history, span, (point) => perSecond(point.delivered), 0),
          },
          {
            name: 'accepted',
            tone: 'accepted',
            points: historySeries(history, span, (point) => perSecond(point.accepted), 0),
          },
          {
            name: 'failed',
            tone: 'failed',
            quietAtZero: true,
            points: historySeries(history, span, (point) => perSecond(point.failed), 0),
          },
        ]}
      />
      <Chart
        {...common}
        title="Lateness"
        format={formatSpan}
        ceiling={niceSpan}
        floor={LATENESS_FLOOR_MS}
        series={[
          { name: 'p50', tone: 'p50', points: historySeries(history, span, (point) => point.p50, null) },
          { name: 'p99', tone: 'p99', points: historySeries(history, span, (point) => point.p99, null) },
        ]}
      />
    </section>
  );
}
