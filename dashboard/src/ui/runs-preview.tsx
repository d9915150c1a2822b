import { useEffect, useState } from 'react';
import type { ReactNode } from 'react';
import { ApiError } from '../lib/http';
import { previewQuery } from '../lib/schedule-form';
import type { ScheduleForm } from '../lib/schedule-form';
import type { Run } from '../lib/schedules';
import { formatLocal } from '../lib/time';
import { useService } from '../state/service';
import { Countdown } from './moment';

const DEBOUNCE_MS = 250;

/** The next runs as the service reckons them: its rules for cron, its time zones, its clock. */
export function RunsPreview({ form }: { form: ScheduleForm }): ReactNode {
  const { api } = useService();
  const [runs, setRuns] = useState<Run[] | null>(null);
  const [problem, setProblem] = useState('');
  const query = previewQuery(form);
  const asked = query && JSON.stringify(query);

  useEffect(() => {
    setProblem('');
    if (asked === null) return setRuns(null);
    const controller = new AbortController();
    const ask = async (): Promise<void> => {
      try {
        setRuns(await api.schedules.preview(JSON.parse(asked), controller.signal));
      } catch (error) {
        if (controller.signal.aborted) return;
        setRuns(null);
        setProblem(error instanceof ApiError ? (error.fields[0]?.message ?? error.detail) : String(error));
      }
    };
    const timer = setTimeout(() => void ask(), DEBOUNCE_MS);
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [api, asked]);

  return (
    <div className="preview runs-preview" role="status" aria-label="Preview of the next runs">
      {problem && <p className="problem">{problem}</p>}
      {asked === null && <p className="quiet">The next runs are shown here.</p>}
      {runs?.length === 0 && <p>It never runs: no moment lies between start and end.</p>}
      {runs && runs.length > 0 && (
        <ol>
          {runs.map((run, index) => (
            <RunLine key={run.at_ms} run={run} before={runs[index - 1]} />
          ))}
        </ol>
      )}
      {asked !== null && !runs && !problem && <p className="quiet">…</p>}
    </div>
  );
}

function RunLine({ run, before }: { run: Run; before: Run | undefined }): ReactNode {
  const { text, offset } = formatLocal(run.local);
  const changed = before !== undefined && formatLocal(before.local).offset !== offset;
  return (
    <li className="figures">
      <span>
        {text} <span className="quiet">{offset}</span>
        {changed && <span className="quiet"> · the clock is changed before it</span>}
      </span>
      <span className="quiet">
        <Countdown at={run.at_ms} />
      </span>
    </li>
  );
}
