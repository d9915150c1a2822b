import { useCallback, useState } from 'react';
import type { ReactNode } from 'react';
import { limitTexts } from '../lib/flows';
import type { Flow } from '../lib/flows';
import { formatCount } from '../lib/format';
import { flowHref } from '../lib/route';
import { formatSpan, parseMoment } from '../lib/time';
import { useDialogs } from '../state/dialogs';
import { usePages } from '../state/pages';
import { go } from '../state/route';
import { useRead } from '../state/read';
import { useService } from '../state/service';
import { Destinations } from '../ui/destinations';
import { Countdown } from '../ui/moment';
import { Paged } from '../ui/pager';
import { PinForm } from '../ui/pin-form';

const REFRESH_MS = 3_000;

export function FlowsView(): ReactNode {
  const { api } = useService();
  const pages = usePages<Flow>(
    useCallback((cursor, limit, signal) => api.flows.list({ limit, cursor: cursor ?? undefined }, signal), [api]),
  );
  const { page } = pages;
  return (
    <section className="page" aria-labelledby="flows-title">
      <div className="page-head">
        <h1 id="flows-title">Flow control</h1>
        <FindKey />
      </div>
      <Paged pages={pages}>
        {page && page.items.length > 0 && <Table flows={page.items} refresh={pages.refresh} />}
        {page && page.items.length === 0 && (
          <p className="empty">No message has a flow key now, and none is pinned or paused.</p>
        )}
      </Paged>
      <Destinations />
    </section>
  );
}

/** One flow key, where a message leads to. */
export function FlowView({ name }: { name: string }): ReactNode {
  const { api } = useService();
  const read = useCallback((signal: AbortSignal) => api.flows.one(name, signal), [api, name]);
  const { value, problem, missing, refresh } = useRead(read, REFRESH_MS);
  return (
    <section className="page message" aria-labelledby="flow-title">
      <p className="crumbs">
        <a href="#/flows">Flow control</a>
      </p>
      <div className="page-head">
        <h1 id="flow-title" className="id">
          {name}
        </h1>
      </div>
      {problem && (
        <p className="problem" role="alert">
          {missing ? 'No message has this flow key now, and it is neither pinned nor paused.' : problem}
        </p>
      )}
      {value && !missing && <Table flows={[value]} refresh={refresh} />}
      {(value || missing) && <PinForm key={name} name={name} flow={missing ? null : value} onDone={refresh} />}
    </section>
  );
}

function FindKey(): ReactNode {
  const [key, setKey] = useState('');
  return (
    <form
      role="search"
      className="find"
      onSubmit={(event) => {
        event.preventDefault();
        if (key.trim()) go(flowHref(key.trim()));
      }}
    >
      <label className="visually-hidden" htmlFor="find-flow">
        Find by flow key
      </label>
      <input
        id="find-flow"
        type="search"
        placeholder="Find by flow key"
        autoComplete="off"
        spellCheck={false}
        value={key}
        onChange={(event) => setKey(event.target.value)}
      />
      <button type="submit" className="button">
        Find
      </button>
    </form>
  );
}

function Table({ flows, refresh }: { flows: readonly Flow[]; refresh: () => void }): ReactNode {
  return (
    <table className="messages flows">
      <thead>
        <tr>
          <th scope="col">Flow key</th>
          <th scope="col" className="number">
            Waiting
          </th>
          <th scope="col" className="number">
            In flight
          </th>
          <th scope="col">Allowed</th>
          <th scope="col">Window</th>
          <th scope="col">Next may go</th>
          <th scope="col">
            <span className="visually-hidden">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {flows.map((flow) => (
          <Row key={flow.key} flow={flow} refresh={refresh} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ flow, refresh }: { flow: Flow; refresh: () => void }): ReactNode {
  const { now } = useService();
  const oldest = parseMoment(flow.oldest_due_at);
  return (
    <tr>
      <th scope="row">
        <a href={flowHref(flow.key)} className="id">
          {flow.key}
        </a>
        <span className="quiet goes-to figures">{formatCount(flow.scheduled)} scheduled</span>
      </th>
      <td className="number figures" data-label="Waiting">
        {formatCount(flow.waiting)}
        {oldest !== null && <span className="quiet goes-to">oldest for {formatSpan(Math.max(0, now() - oldest))}</span>}
      </td>
      <td className="number figures" data-label="In flight">
        <span>
          {formatCount(flow.in_flight)}
          {flow.limits.concurrency !== null && <span className="quiet"> / {formatCount(flow.limits.concurrency)}</span>}
        </span>
      </td>
      <td data-label="Allowed">
        <Limits flow={flow} />
      </td>
      <td className="figures" data-label="Window">
        <Window flow={flow} />
      </td>
      <td data-label="Next may go">
        <Next flow={flow} />
      </td>
      <td className="row-actions">
        <Actions flow={flow} refresh={refresh} />
      </td>
    </tr>
  );
}

const SOURCES = { message: 'came with a message', settings: 'from the settings', pinned: 'pinned' };

function Limits({ flow }: { flow: Flow }): ReactNode {
  const texts = limitTexts(flow);
  if (texts.length === 0) return <span className="quiet">anything</span>;
  return (
    <ul>
      {texts.map(({ text, source }) => (
        <li key={text} className="figures">
          {text} {source && <span className="quiet">{SOURCES[source]}</span>}
        </li>
      ))}
    </ul>
  );
}

function Window({ flow }: { flow: Flow }): ReactNode {
  if (flow.limits.rate === null) return <span className="quiet">–</span>;
  const ends = parseMoment(flow.window?.ends_at);
  return (
    <>
      {formatCount(flow.window?.used ?? 0)} of {formatCount(flow.limits.rate)}
      {ends !== null && (
        <span className="quiet goes-to">
          ends <Countdown at={ends} />
        </span>
      )}
    </>
  );
}

function Next({ flow }: { flow: Flow }): ReactNode {
  const until = parseMoment(flow.paused_until);
  if (flow.paused) {
    return <span className="tone-warn">paused{until !== null && <>, goes on {<Countdown at={until} />}</>}</span>;
  }
  const next = parseMoment(flow.next_at);
  if (next !== null) return <Countdown at={next} />;
  return <span className="quiet">{flow.waiting > 0 ? 'when another ends' : 'nothing waits'}</span>;
}

function Actions({ flow, refresh }: { flow: Flow; refresh: () => void }): ReactNode {
  const { api } = useService();
  const { confirm, tell, complain } = useDialogs();
  const [busy, setBusy] = useState(false);

  const act = async (verb: 'pause' | 'resume' | 'reset', done: string): Promise<void> => {
    setBusy(true);
    try {
      await api.flows.act(flow.key, verb);
      tell(done);
      refresh();
    } catch (error) {
      complain(error);
    }
    setBusy(false);
  };
  const pause = async (): Promise<void> => {
    const yes = await confirm({
      title: `Pause ${flow.key}?`,
      text: 'Messages of this key wait until it is resumed; what is in flight is finished. All others go on.',
      verb: 'Pause the key',
      danger: true,
    });
    if (yes) await act('pause', 'The key is paused.');
  };

  return (
    <span className="actions">
      <button
        type="button"
        className="button small"
        disabled={busy}
        aria-label={`${flow.paused ? 'Resume' : 'Pause'} ${flow.key}`}
        onClick={() => void (flow.paused ? act('resume', 'The key goes on.') : pause())}
      >
        {flow.paused ? 'Resume' : 'Pause'}
      </button>
      <button
        type="button"
        className="button small"
        disabled={busy}
        aria-label={`Reset the window of ${flow.key}`}
        title="Begin the window of its rate anew, and count again what is in flight"
        onClick={() => void act('reset', 'Its window begins anew.')}
      >
        Reset
      </button>
    </span>
  );
}
