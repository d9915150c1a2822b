import type { ReactNode } from 'react';
import { useService } from '../state/service';
import { useTick } from '../state/poll';
import { countdownInterval, formatCountdown, formatMoment } from '../lib/time';

/** `in 4.2 s`, counting. */
export function Countdown({ at }: { at: number }): ReactNode {
  const { now } = useService();
  const left = at - now();
  useTick(countdownInterval(left));
  return (
    <time dateTime={new Date(at).toISOString()} className="figures">
      {formatCountdown(left)}
    </time>
  );
}

/** A moment in local time, with UTC beneath. */
export function Moment({ at }: { at: number }): ReactNode {
  return (
    <time dateTime={new Date(at).toISOString()} className="moment figures">
      <span>{formatMoment(at)}</span>
      <span className="quiet">{formatMoment(at, 'UTC')} UTC</span>
    </time>
  );
}
