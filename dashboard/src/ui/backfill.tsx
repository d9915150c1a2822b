import { useEffect, useState } from 'react';
import type { ReactNode } from 'react';
import { formatCount, plural } from '../lib/format';
import { problemsOf } from '../lib/http';
import type { Backfill, Schedule } from '../lib/schedules';
import { toLocalInput } from '../lib/time';
import { useDialogs } from '../state/dialogs';
import { useService } from '../state/service';
import { Dialog } from './dialog';

const DAY_MS = 86_400_000;
const DEBOUNCE_MS = 250;

interface Props {
  schedule: Schedule;
  onClose: () => void;
  onDone: () => void;
}

/** Counts first what it would make; the button then says how many, and is the one question asked. */
export function BackfillDialog({ schedule, onClose, onDone }: Props): ReactNode {
  const { api, now } = useService();
  const { tell } = useDialogs();
  const [from, setFrom] = useState(() => toLocalInput(now() - DAY_MS));
  const [to, setTo] = useState(() => toLocalInput(now()));
  const [count, setCount] = useState<number | null>(null);
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);

  useEffect(() => {
    setCount(null);
    const request = readSpan(from, to);
    if (!request) return setProblem('Choose both moments.');
    const controller = new AbortController();
    const timer = setTimeout(() => {
      api.schedules.backfill(schedule.id, { ...request, dry_run: true }, controller.signal).then(
        (answer) => {
          setCount(answer.would_make ?? 0);
          setProblem('');
        },
        (error: unknown) => controller.signal.aborted || setProblem(problemsOf(error)[0]?.message ?? ''),
      );
    }, DEBOUNCE_MS);
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [api, schedule.id, from, to]);

  const backfill = async (): Promise<void> => {
    const request = readSpan(from, to);
    if (!request) return;
    setBusy(true);
    try {
      const answer = await api.schedules.backfill(schedule.id, request);
      tell(`${plural(answer.made ?? 0, 'run')} of the past are scheduled.`);
      onDone();
      onClose();
    } catch (error) {
      setProblem(problemsOf(error)[0]?.message ?? '');
      setBusy(false);
    }
  };

  return (
    <Dialog title="Backfill" onClose={onClose}>
      <p>
        Makes the messages of past moments of this schedule, after what is on time. A moment that has its message gets
        no second one.
      </p>
      <div className="field-row">
        <Moment label="From" value={from} onChange={setFrom} />
        <Moment label="To" value={to} onChange={setTo} />
      </div>
      <p role="status" className="counted figures">
        {problem ? <span className="problem">{problem}</span> : counted(count)}
      </p>
      <div className="dialog-buttons">
        <button type="button" className="button" onClick={onClose}>
          Leave it
        </button>
        <button type="button" className="button primary" disabled={!count || busy} onClick={() => void backfill()}>
          {count ? `Backfill ${formatCount(count)}` : 'Backfill'}
        </button>
      </div>
    </Dialog>
  );
}

function counted(count: number | null): string {
  if (count === null) return 'Counting …';
  return count === 0 ? 'No moment of this schedule lies there.' : `This makes ${plural(count, 'message')}.`;
}

function Moment({ label, value, onChange }: { label: string; value: string; onChange: (value: string) => void }) {
  return (
    <label className="field">
      <span className="label">{label}, your time</span>
      <input type="datetime-local" step="1" value={value} onChange={(event) => onChange(event.target.value)} />
    </label>
  );
}

function readSpan(from: string, to: string): Backfill | null {
  const [begin, end] = [new Date(from), new Date(to)];
  if (Number.isNaN(begin.getTime()) || Number.isNaN(end.getTime())) return null;
  return { from: begin.toISOString(), to: end.toISOString() };
}
