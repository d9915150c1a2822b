import { useCallback } from 'react';
import type { ReactNode } from 'react';
import { historySeries, niceSpan } from '../lib/chart';
import type { Span } from '../lib/chart';
import { formatCount, formatShare } from '../lib/format';
import { countsOverAll, SPELLS, STEP_MS, totals } from '../lib/history';
import type { Slot, SpellName, Total } from '../lib/history';
import { overTimeHref } from '../lib/route';
import type { OverTimeFilters } from '../lib/route';
import { formatDay, formatHour, formatSpan } from '../lib/time';
import { CHANNELS } from '../lib/types';
import { useRead } from '../state/read';
import { go } from '../state/route';
import { useService } from '../state/service';
import { Chart } from '../ui/chart';
import type { Series } from '../ui/chart';
import { Choice } from '../ui/filter-bar';

const REFRESH_MS = 60_000;
const TICKS = 4;
const LATENESS_FLOOR_MS = 10;
const NAMES: Record<SpellName, string> = { '2d': '48 hours', '30d': '30 days', '1y': 'A year' };

export function OverTimeView({ filters }: { filters: OverTimeFilters }): ReactNode {
  const name: SpellName = filters.span && Object.hasOwn(SPELLS, filters.span) ? (filters.span as SpellName) : '2d';
  const channel = filters.channel ?? '';
  return (
    <section className="page" aria-labelledby="over-time-title">
      <div className="page-head">
        <h1 id="over-time-title">Over time</h1>
      </div>
      <div className="filters">
        <nav className="tabs spans" aria-label="Span">
          {(Object.keys(SPELLS) as SpellName[]).map((span) => (
            <a key={span} href={overTimeHref({ ...filters, span })} aria-current={span === name ? 'true' : undefined}>
              {NAMES[span]}
            </a>
          ))}
        </nav>
        <Choice
          label="Channel"
          value={channel}
          options={CHANNELS}
          onChange={(chosen) => go(overTimeHref({ ...filters, channel: chosen }))}
        />
      </div>
      <Figures key={`${name} ${channel}`} name={name} channel={channel} />
    </section>
  );
}

function Figures({ name, channel }: { name: SpellName; channel: string }): ReactNode {
  const { api, now } = useService();
  const { by, steps } = SPELLS[name];
  const step = STEP_MS[by];
  const read = useCallback(
    async (signal: AbortSignal) => {
      const to = now();
      // Whole hours and days: the oldest one is not cut.
      const from = (Math.floor(to / step) - steps + 1) * step;
      const query = { by, since: new Date(from).toISOString(), ...(channel && { channel }) };
      return { from, to, slots: await api.history.summary(query, signal) };
    },
    [api, now, by, step, steps, channel],
  );
  const { value, problem, missing } = useRead(read, REFRESH_MS);
  if (missing) {
    return (
      <p className="empty">
        This service keeps no history: set History.Url to a database, and what finishes from then on is shown here.
      </p>
    );
  }
  return (
    <>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {!value && !problem && <p className="empty">Looking …</p>}
      {value?.slots.length === 0 && <p className="empty">Nothing has finished in this time.</p>}
      {value && value.slots.length > 0 && (
        <>
          <SlotCharts slots={value.slots} span={{ from: value.from, to: value.to, step }} name={name} />
          <Totals totals={totals(value.slots)} />
        </>
      )}
    </>
  );
}

interface ChartsProps {
  slots: readonly Slot[];
  span: Span;
  name: SpellName;
}

function SlotCharts({ slots, span, name }: ChartsProps): ReactNode {
  // The slot under way is drawn too, dashed: its lines say how it stands.
  const drawn = { ...span, to: (Math.floor(span.to / span.step) + 1) * span.step };
  const last = drawn.to - span.step;
  const { by } = SPELLS[name];
  const word = (at: number): string => (by === 'day' ? formatDay(at) : formatHour(at));
  const common = {
    from: span.from,
    to: Math.max(last, span.from + 1),
    span: `last ${NAMES[name].toLowerCase()}`,
    when: (at: number): string => (at === last ? `${word(at)}, so far` : word(at)),
    running: true,
    ticks: tickMoments(span.from, last, span.step).map((at) => ({ at, label: word(at) })),
  };
  const counts = countsOverAll(slots);
  const count = (key: 'delivered' | 'dead' | 'cancelled', tone: string): Series => ({
    name: key === 'dead' ? 'dead letters' : key,
    tone,
    filled: key === 'delivered',
    quietAtZero: key !== 'delivered',
    points: historySeries(counts, drawn, (point) => point[key], 0),
  });
  const channels = totals(slots).map((total) => total.channel);
  const each = (value: (slot: Slot) => number | null): Series[] =>
    channels.map((channel) => ({
      name: channel,
      tone: channel,
      points: historySeries(
        slots.filter((slot) => slot.channel === channel),
        drawn,
        value,
        null,
      ),
    }));
  return (
    <div className="charts">
      <Chart
        {...common}
        title={by === 'day' ? 'Finished per day' : 'Finished per hour'}
        format={formatCount}
        floor={4}
        series={[count('delivered', 'delivered'), count('cancelled', 'accepted'), count('dead', 'failed')]}
      />
      <Chart
        {...common}
        title="Dead letters, share"
        format={formatShare}
        floor={0.01}
        series={each((slot) => slot.failure_rate)}
      />
      <Chart
        {...common}
        title="Lateness, p50"
        format={formatSpan}
        ceiling={niceSpan}
        floor={LATENESS_FLOOR_MS}
        series={each((slot) => slot.lateness_ms.p50)}
      />
      <Chart
        {...common}
        title="Lateness, p99"
        format={formatSpan}
        ceiling={niceSpan}
        floor={LATENESS_FLOOR_MS}
        series={each((slot) => slot.lateness_ms.p99)}
      />
    </div>
  );
}

/** The ends and what lies between them, each at the start of a step. */
function tickMoments(from: number, to: number, step: number): number[] {
  return Array.from({ length: TICKS }, (_, n) => from + Math.round(((to - from) * n) / (TICKS - 1) / step) * step);
}

function Totals({ totals: rows }: { totals: readonly Total[] }): ReactNode {
  return (
    <section className="panel" aria-labelledby="totals">
      <h2 id="totals">In all</h2>
      <table className="servers">
        <thead>
          <tr>
            <th scope="col">Channel</th>
            <th scope="col" className="number">
              Delivered
            </th>
            <th scope="col" className="number">
              Dead letters
            </th>
            <th scope="col" className="number wide-only">
              Cancelled
            </th>
            <th scope="col" className="number">
              Share
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.channel}>
              <th scope="row">{row.channel}</th>
              <td className="number figures">{formatCount(row.delivered)}</td>
              <td className="number figures">{formatCount(row.dead)}</td>
              <td className="number figures wide-only">{formatCount(row.cancelled)}</td>
              <td className="number figures">{row.failureRate === null ? '–' : formatShare(row.failureRate)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
