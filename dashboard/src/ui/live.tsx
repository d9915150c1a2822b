import { useState } from 'react';
import type { ReactNode } from 'react';
import { useLive } from '../state/service';
import { GAP } from '../lib/events';
import type { StreamState } from '../lib/events';
import { eventLine, isTrouble } from '../lib/feed';
import type { FeedItem } from '../lib/feed';
import { plural } from '../lib/format';
import { formatClock } from '../lib/time';
import { Mark } from './marks';

const SHOWN = 60;

const ABSENT: Record<StreamState, string> = {
  off: 'This service offers no live events (Events.Port). The figures above are fetched every two seconds.',
  connecting: 'Connecting …',
  live: 'Connected. What happens appears here.',
  waiting: 'Cut off. Connecting again by itself, and going on where it stopped.',
};

/** What happens, as it happens. */
export function LiveStream(): ReactNode {
  const { feed, state } = useLive();
  const [troubleOnly, setTroubleOnly] = useState(false);
  const [held, setHeld] = useState<FeedItem[] | null>(null);
  const items = (held ?? feed.items).filter((item) => !troubleOnly || isTrouble(item)).slice(0, SHOWN);
  return (
    <section className="panel" aria-labelledby="live">
      <div className="panel-head">
        <h2 id="live">Live</h2>
        <span className="quiet figures">
          {feed.seen > 0 && `${plural(feed.seen, 'event')} since you opened this page`}
        </span>
        <label className="check">
          <input type="checkbox" checked={troubleOnly} onChange={(event) => setTroubleOnly(event.target.checked)} />{' '}
          Trouble only
        </label>
        <button
          type="button"
          className="button small"
          aria-pressed={held !== null}
          onClick={() => setHeld(held ? null : feed.items)}
        >
          {held ? 'Go on' : 'Hold'}
        </button>
      </div>
      {(items.length === 0 || state === 'waiting') && (
        <p className="empty">
          {items.length === 0 && state === 'live' && troubleOnly ? 'No trouble so far.' : ABSENT[state]}
        </p>
      )}
      <ol className="live" tabIndex={0} aria-label="Events, newest first">
        {items.map((item) => (
          <LiveLine key={item.key} item={item} />
        ))}
      </ol>
    </section>
  );
}

function LiveLine({ item }: { item: FeedItem }): ReactNode {
  if (item.event === GAP) {
    return (
      <li className="live-gap quiet">
        Events are missing here: more came than the service keeps for those who were away.
      </li>
    );
  }
  const line = eventLine(item);
  return (
    <li>
      <time className="figures quiet" dateTime={new Date(item.at).toISOString()}>
        {formatClock(item.at)}
      </time>
      <span className={`live-event tone-${line.kind}`}>
        <Mark kind={line.kind} />
        {line.word}
      </span>
      <a href={line.href} className="id">
        {item.id}
      </a>
      <span className="quiet live-more">
        {line.about}
        {(item.attempt ?? 0) > 1 && ` · attempt ${item.attempt}`}
      </span>
    </li>
  );
}
