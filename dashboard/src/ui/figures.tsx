import type { ReactNode } from 'react';
import { formatCount, formatRate } from '../lib/format';
import { formatSpan } from '../lib/time';
import type { Stats } from '../lib/types';

interface FigureProps {
  label: string;
  value: string;
  more: string;
  href: string;
  tone?: string;
}

function Figure({ label, value, more, href, tone }: FigureProps): ReactNode {
  return (
    <li>
      <a href={href} className={tone ? `figure tone-${tone}` : 'figure'}>
        <span className="figure-label">{label}</span>
        <span className="figure-value figures">{value}</span>
        <span className="figure-more figures">{more}</span>
      </a>
    </li>
  );
}

/** Beneath the number of due ones: what was put off is not among them until it is looked at again. */
function dueMore(stats: Stats): string {
  const oldest = stats.oldest_due_age_ms ? `oldest ${formatSpan(stats.oldest_due_age_ms)}` : '';
  const held = stats.held_back?.messages ? `${formatCount(stats.held_back.messages)} put off` : '';
  const flow = stats.flow?.waiting ? `${formatCount(stats.flow.waiting)} at flow keys` : '';
  return [oldest, held, flow].filter(Boolean).join(' · ') || 'none waiting';
}

export function Figures({ stats }: { stats: Stats }): ReactNode {
  const scheduled = stats.scheduled ?? {};
  const urgent =
    scheduled.high === undefined ? '' : `${formatCount(scheduled.high)} high · ${formatCount(scheduled.low)} low`;
  const delivered = stats.history?.reduce((sum, point) => sum + (point.delivered ?? 0), 0);
  const failing = stats.throughput?.failed_per_s;
  return (
    <ul className="figure-row" aria-label="Messages by state">
      <Figure label="Scheduled" value={formatCount(scheduled.total)} more={urgent} href="#/messages?status=scheduled" />
      <Figure label="Due now" value={formatCount(stats.due)} more={dueMore(stats)} href="#/messages?status=scheduled" />
      <Figure
        label="Processing"
        value={formatCount(stats.processing)}
        more="in flight"
        href="#/messages?status=processing"
      />
      <Figure
        label="Delivered"
        value={formatCount(delivered)}
        more={`15 min · ${formatRate(stats.throughput?.delivered_per_s)}/s`}
        href="#/messages?status=delivered"
      />
      <Figure
        label="Retrying"
        value={formatCount(stats.retrying)}
        more={failing ? `${formatRate(failing)} failed/s` : 'nothing fails'}
        href="#/messages?status=scheduled"
        {...(stats.retrying ? { tone: 'warn' } : {})}
      />
      <Figure
        label="Dead letters"
        value={formatCount(stats.dead)}
        more={stats.dead ? 'given up' : 'none'}
        href="#/messages?status=dead"
        {...(stats.dead ? { tone: 'bad' } : {})}
      />
    </ul>
  );
}
