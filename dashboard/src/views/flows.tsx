import { useCallback, useState } from 'react';
import type { ReactNode } from 'react';
import { limitTexts } from '../lib/flows';
import type { Flow } from '../lib/flows';
import { formatCount } from '../lib/format';
import { formatSpan, parseMoment } from '../lib/time';
import { useDialogs } from '../state/dialogs';
import { usePages } from '../state/pages';
import { useService } from '../state/service';
import { Countdown } from '../ui/moment';
import { Paged } from '../ui/pager';

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
      </div>
      <Paged pages={pages}>
        {page && page.items.length > 0 && <Table flows={page.items} refresh={pages.refresh} />}
        {page && page.items.length === 0 && (
          <p className="empty">No message has a flow key now, and none is pinned or paused.</p>
        )}
      </Paged>
    </section>
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
  return (
    <tr>
      <th scope="row">
        <span className="id">{flow.key}</span>
      </th>
      <td className="number figures">
        {formatCount(flow.waiting)}
        {flow.oldest_due_age_ms !== null && (
          <span className="quiet goes-to">oldest due for {formatSpan(flow.oldest_due_age_ms)}</span>
        )}
      </td>
      <td className="number figures">
        {formatCount(flow.in_flight)}
        {flow.limits.concurrency !== null && <span className="quiet"> / {formatCount(flow.limits.concurrency)}</span>}
      </td>
      <td>
        <Limits flow={flow} />
      </td>
      <td className="figures">
        <Window flow={flow} />
      </td>
      <td>
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
        title="Begin the window of its rate anew"
        onClick={() => void act('reset', 'Its window begins anew.')}
      >
        Reset
      </button>
    </span>
  );
}
