import { useCallback, useState } from 'react';
import type { FormEvent, ReactNode } from 'react';
import { destinationId, STATE_WORDS } from '../lib/destinations';
import type { Destination } from '../lib/destinations';
import { formatCount } from '../lib/format';
import { formatSpan, parseMoment } from '../lib/time';
import { useDialogs } from '../state/dialogs';
import { useRead } from '../state/read';
import { useService } from '../state/service';
import { Mark } from './marks';
import { Countdown } from './moment';
import { PauseDialog } from './pause-dialog';

const INTERVAL_MS = 3_000;

/** The destinations of webhooks whose circuit breaker is not closed; nothing while there is none. */
export function OpenDestinations(): ReactNode {
  const { list, refresh } = useDestinations();
  const open = list?.filter((one) => one.state !== 'closed' || one.held_until !== null) ?? [];
  if (open.length === 0) return null;
  return (
    <section className="panel" aria-labelledby="destinations">
      <h2 id="destinations">Destinations left alone</h2>
      <Table destinations={open} refresh={refresh} />
    </section>
  );
}

/** All destinations that failed lately or were opened by hand. */
export function Destinations(): ReactNode {
  const { list, problem, refresh } = useDestinations();
  return (
    <section className="panel" aria-labelledby="destinations">
      <div className="panel-head">
        <h2 id="destinations">Destinations of webhooks</h2>
        <OpenByHand refresh={refresh} />
      </div>
      {problem && <p className="problem">{problem}</p>}
      {list?.length === 0 && <p className="empty">All of them work: none has failed lately.</p>}
      {list && list.length > 0 && <Table destinations={list} refresh={refresh} />}
    </section>
  );
}

function useDestinations(): { list: Destination[] | null; problem: string; refresh: () => void } {
  const { api } = useService();
  const read = useCallback((signal: AbortSignal) => api.destinations.list(signal), [api]);
  const { value, problem, refresh } = useRead(read, INTERVAL_MS);
  return { list: value, problem, refresh };
}

function Table({ destinations, refresh }: { destinations: readonly Destination[]; refresh: () => void }): ReactNode {
  return (
    <table className="servers destinations">
      <thead>
        <tr>
          <th scope="col">Destination</th>
          <th scope="col">Circuit breaker</th>
          <th scope="col" className="number wide-only">
            Failed in a row
          </th>
          <th scope="col" className="wide-only">
            Last error
          </th>
          <th scope="col">Next</th>
          <th scope="col">
            <span className="visually-hidden">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {destinations.map((one) => (
          <Row key={one.id} one={one} refresh={refresh} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ one, refresh }: { one: Destination; refresh: () => void }): ReactNode {
  const { now } = useService();
  const { text, kind } = STATE_WORDS[one.state];
  const since = parseMoment(one.failing_since);
  return (
    <tr>
      <th scope="row" className="id">
        {one.id}
        {one.note && <span className="quiet goes-to">{one.note}</span>}
      </th>
      <td>
        <span className={`status tone-${kind}`}>
          <Mark kind={kind} />
          {text}
          {one.by_hand && ' by hand'}
        </span>
      </td>
      <td className="number figures wide-only">
        {formatCount(one.failures)}
        {since !== null && <span className="quiet goes-to">for {formatSpan(Math.max(0, now() - since))}</span>}
      </td>
      <td className="wide-only breakable">{one.last_error ?? <span className="quiet">none</span>}</td>
      <td>
        <Next one={one} />
      </td>
      <td className="row-actions">
        <Actions one={one} refresh={refresh} />
      </td>
    </tr>
  );
}

/** A probe begins within this time of its moment, while messages wait for it. */
const SOON_MS = 5_000;

function Next({ one }: { one: Destination }): ReactNode {
  const { now } = useService();
  const probe = parseMoment(one.next_probe_at);
  const held = parseMoment(one.held_until);
  if (one.state === 'half_open') return 'a probe is under way';
  // Nothing waits for it, or its probe would be under way.
  if (one.state === 'open' && probe !== null && probe < now() - SOON_MS) return 'a probe with its next message';
  if (one.state === 'open' && probe !== null) {
    return (
      <>
        a probe <Countdown at={probe} />
      </>
    );
  }
  if (one.state === 'open') return 'when it is closed';
  if (held !== null) {
    return (
      <>
        asked for a pause, goes on <Countdown at={held} />
      </>
    );
  }
  return <span className="quiet">attempts are made</span>;
}

const WHY = 'No attempt is made there, and no probe, until it is closed again; its messages wait and are not charged.';

function Actions({ one, refresh }: { one: Destination; refresh: () => void }): ReactNode {
  const { api } = useService();
  const { tell, complain } = useDialogs();
  const [asking, setAsking] = useState(false);
  const set = async (to: 'open' | 'close', note: string): Promise<void> => {
    try {
      await api.destinations.set(one.id, to, note);
      tell(to === 'open' ? 'It is left alone.' : 'Attempts are made again.');
      refresh();
    } catch (error) {
      complain(error);
    }
  };
  return (
    <span className="actions">
      {(one.state !== 'closed' || one.held_until !== null) && (
        <button
          type="button"
          className="button small"
          aria-label={`Close ${one.id}`}
          onClick={() => void set('close', '')}
        >
          Close
        </button>
      )}
      {!one.by_hand && (
        <button type="button" className="button small" aria-label={`Open ${one.id}`} onClick={() => setAsking(true)}>
          Open …
        </button>
      )}
      {asking && (
        <PauseDialog
          title={`Leave ${one.id} alone?`}
          text={WHY}
          verb="Open the breaker"
          onPause={(note) => void set('open', note)}
          onClose={() => setAsking(false)}
        />
      )}
    </span>
  );
}

/** For a planned maintenance of a destination of which nothing is known yet. */
function OpenByHand({ refresh }: { refresh: () => void }): ReactNode {
  const { api } = useService();
  const { tell, complain } = useDialogs();
  const [text, setText] = useState('');
  const [id, setId] = useState<string | null>(null);
  const ask = (event: FormEvent): void => {
    event.preventDefault();
    const found = destinationId(text);
    if (found) setId(found);
    else complain('Write an address: https://api.example.com.');
  };
  const open = async (note: string): Promise<void> => {
    try {
      await api.destinations.set(id ?? '', 'open', note);
      tell('It is left alone.');
      setText('');
      refresh();
    } catch (error) {
      complain(error);
    }
  };
  // The dialog has a form of its own, and forms do not nest.
  return (
    <>
      <form className="find" onSubmit={ask}>
        <label className="visually-hidden" htmlFor="open-destination">
          Destination
        </label>
        <input
          id="open-destination"
          placeholder="https://api.example.com"
          autoComplete="off"
          spellCheck={false}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <button type="submit" className="button small">
          Leave alone …
        </button>
      </form>
      {id !== null && (
        <PauseDialog
          title={`Leave ${id} alone?`}
          text={WHY}
          verb="Open the breaker"
          onPause={(note) => void open(note)}
          onClose={() => setId(null)}
        />
      )}
    </>
  );
}
