import { useEffect, useState } from 'react';
import type { ReactNode } from 'react';
import { useDialogs } from '../state/dialogs';
import { useService } from '../state/service';
import type { RedriveRequest } from '../lib/api';
import { formatCount, plural } from '../lib/format';
import { CHANNELS } from '../lib/types';
import { Dialog } from './dialog';

const DEFAULT_LIMIT = '1000';
const DEBOUNCE_MS = 250;

/** Counts first what it would redrive; the button then says how many, and is the one question asked. */
export function RedriveMany({ channel: initial, onClose }: { channel: string; onClose: () => void }): ReactNode {
  const { api, refresh } = useService();
  const { tell } = useDialogs();
  const [channel, setChannel] = useState(initial);
  const [limit, setLimit] = useState(DEFAULT_LIMIT);
  const [count, setCount] = useState<number | null>(null);
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);

  const request = (dryRun: boolean): RedriveRequest => ({
    limit: Number(limit),
    dry_run: dryRun,
    ...(channel ? { channel } : {}),
  });

  useEffect(() => {
    let current = true;
    setCount(null);
    const timer = setTimeout(() => {
      api.redriveMany(request(true)).then(
        (found) => {
          if (!current) return;
          setCount(found);
          setProblem('');
        },
        (error: unknown) => current && setProblem(String((error as Error).message)),
      );
    }, DEBOUNCE_MS);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [api, channel, limit]);

  const redrive = async (): Promise<void> => {
    setBusy(true);
    try {
      tell(`${plural(await api.redriveMany(request(false)), 'dead letter')} scheduled again, due now.`);
      refresh();
      onClose();
    } catch (error) {
      setProblem(String((error as Error).message));
      setBusy(false);
    }
  };

  return (
    <Dialog title="Redrive dead letters" onClose={onClose}>
      <p>They are scheduled again, oldest first, due now, with their attempts reset.</p>
      <div className="field-row">
        <label className="field">
          <span className="label">Channel</span>
          <select value={channel} onChange={(event) => setChannel(event.target.value)}>
            <option value="">any</option>
            {CHANNELS.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label className="field">
          <span className="label">At most</span>
          <input type="number" min="1" value={limit} onChange={(event) => setLimit(event.target.value)} />
        </label>
      </div>
      <p role="status" className="counted figures">
        {problem ? (
          <span className="problem">{problem}</span>
        ) : count === null ? (
          'Counting …'
        ) : count === 0 ? (
          'None matches.'
        ) : (
          `This redrives ${plural(count, 'message')}.`
        )}
      </p>
      <div className="dialog-buttons">
        <button type="button" className="button" onClick={onClose}>
          Leave them
        </button>
        <button type="button" className="button primary" disabled={!count || busy} onClick={() => void redrive()}>
          {count ? `Redrive ${formatCount(count)}` : 'Redrive'}
        </button>
      </div>
    </Dialog>
  );
}
