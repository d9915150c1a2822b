import type { ReactNode } from 'react';
import { messageHref } from '../lib/route';
import { momentOf, runWords, timelinePlaces } from '../lib/schedules';
import type { PastRun, Run } from '../lib/schedules';
import { formatLocal, formatMoment, formatNear } from '../lib/time';
import { useService } from '../state/service';
import { useWidth } from './chart';
import { Mark, Shape } from './marks';
import { Countdown } from './moment';

/** The outcomes of the last runs side by side, the newest at the right. */
export function Strip({ runs }: { runs: readonly PastRun[] }): ReactNode {
  if (runs.length === 0) return <span className="quiet">none yet</span>;
  return (
    <ol className="strip" aria-label="Last runs, oldest first">
      {[...runs].reverse().map((run) => (
        <li key={`${run.scheduled_for} ${run.message_id}`} title={`${formatMoment(momentOf(run))}: ${runWords(run)}`}>
          <Mark kind={run.outcome} />
          <span className="visually-hidden">{run.outcome}</span>
        </li>
      ))}
    </ol>
  );
}

const HEIGHT = 56;
const EDGE = 24;
const LINE = 20;

/** Last and next runs on one line, to scale; the lists beneath say the same in words. */
export function RunTimeline({ past, next }: { past: readonly PastRun[]; next: readonly Run[] }): ReactNode {
  const { now } = useService();
  const [width, box] = useWidth();
  const at = now();
  const { places, here } = timelinePlaces(past, next, at, EDGE, Math.max(width - EDGE, EDGE + 1));
  if (places.length === 0) return null;
  const ends = [places[0], places.at(-1)];
  return (
    <figure className="run-timeline" ref={box} aria-hidden="true">
      <svg width={width} height={HEIGHT}>
        <path className="grid" d={`M${EDGE} ${LINE}H${width - EDGE}`} />
        <path className="chart-cursor" d={`M${here} 4V36`} />
        <text x={here} y={HEIGHT - 6} textAnchor="middle">
          now
        </text>
        {places.map((place) => (
          <g
            key={`${place.at} ${place.kind}`}
            className={`tone-${place.kind}`}
            transform={`translate(${place.x - 6} ${LINE - 6})`}
          >
            <circle cx="6" cy="6" r="7" className="run-ground" />
            <Shape kind={place.kind} />
            <title>{`${formatMoment(place.at)}: ${place.text}`}</title>
          </g>
        ))}
        {ends.map(
          (place, index) =>
            place &&
            // The earliest run has its time at the left edge only where it is past, the latest at the right one only
            // where it is to come: without past runs "now" stands at the left edge.
            (index ? place.x - here : here - place.x) > 140 && (
              <text key={index} x={index ? width : 0} y={HEIGHT - 6} textAnchor={index ? 'end' : 'start'}>
                {formatNear(place.at, at)}
              </text>
            ),
        )}
      </svg>
    </figure>
  );
}

export function NextRuns({ runs, zone }: { runs: readonly Run[]; zone: string }): ReactNode {
  return (
    <section className="panel" aria-labelledby="next-runs">
      <h2 id="next-runs">Next runs</h2>
      {runs.length === 0 && <p className="empty">None: it is paused or over.</p>}
      <ol className="next-runs figures">
        {runs.map((run) => (
          <li key={run.at_ms}>
            <span className="next-when">
              <Countdown at={run.at_ms} />
            </span>
            <time dateTime={run.at}>
              {formatLocal(run.local).text}
              <span className="quiet"> {zone}</span>
            </time>
          </li>
        ))}
      </ol>
    </section>
  );
}

export function LastRuns({ runs }: { runs: readonly PastRun[] }): ReactNode {
  const { now } = useService();
  return (
    <section className="panel" aria-labelledby="last-runs">
      <h2 id="last-runs">Last runs</h2>
      {runs.length === 0 && <p className="empty">None yet.</p>}
      <ol className="last-runs">
        {runs.map((run) => (
          <li key={`${run.scheduled_for} ${run.message_id}`}>
            <Mark kind={run.outcome} />
            <time className="figures" dateTime={run.scheduled_for}>
              {formatNear(momentOf(run), now())}
            </time>
            <span>{runWords(run)}</span>
            {run.message_id ? (
              <a href={messageHref(run.message_id)} className="id">
                {run.message_id}
              </a>
            ) : (
              <span />
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}
