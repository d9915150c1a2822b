import { useState } from 'react';
import type { ReactNode } from 'react';
import { messageHref } from '../lib/route';
import type { Schedule } from '../lib/schedules';
import { useDialogs } from '../state/dialogs';
import { go } from '../state/route';
import { useService } from '../state/service';
import { BackfillDialog } from './backfill';
import { PauseDialog } from './pause-dialog';

interface Props {
  schedule: Schedule;
  onChanged: (schedule: Schedule) => void;
  onEdit: () => void;
  refresh: () => void;
}

/** What may be done with a schedule in its present state. */
export function ScheduleActions({ schedule, onChanged, onEdit, refresh }: Props): ReactNode {
  const { api } = useService();
  const { confirm, tell, complain } = useDialogs();
  const [busy, setBusy] = useState(false);
  const [asking, setAsking] = useState<'pause' | 'backfill' | null>(null);
  const paused = schedule.status === 'paused';

  const act = async (work: () => Promise<void>): Promise<void> => {
    setBusy(true);
    try {
      await work();
    } catch (error) {
      complain(error);
    }
    setBusy(false);
  };
  const setPaused = (to: boolean, note: string): Promise<void> =>
    act(async () => {
      onChanged(await api.schedules.setPaused(schedule.id, to, note));
      tell(to ? 'The schedule is paused.' : 'The schedule goes on with the next moment.');
      refresh();
    });
  const run = (): Promise<void> =>
    act(async () => {
      const message = await api.schedules.run(schedule.id);
      tell('A run beside the plan is due now.', messageHref(message.id));
      refresh();
    });
  const remove = async (): Promise<void> => {
    const yes = await confirm({
      title: 'Delete this schedule?',
      text: 'It makes no more messages, and the one that waits for the next run is taken back. What it made stays.',
      verb: 'Delete the schedule',
      danger: true,
    });
    if (!yes) return;
    await act(async () => {
      await api.schedules.remove(schedule.id);
      tell('The schedule is deleted.');
      go('#/schedules');
    });
  };

  return (
    <span className="actions">
      <button type="button" className="button" disabled={busy} onClick={() => void run()}>
        Run now
      </button>
      {schedule.status !== 'ended' && (
        <button
          type="button"
          className={paused ? 'button primary' : 'button'}
          disabled={busy}
          onClick={() => (paused ? void setPaused(false, '') : setAsking('pause'))}
        >
          {paused ? 'Resume' : 'Pause'}
        </button>
      )}
      <button type="button" className="button" disabled={busy} onClick={onEdit}>
        Edit
      </button>
      <button type="button" className="button" disabled={busy} onClick={() => setAsking('backfill')}>
        Backfill …
      </button>
      <button type="button" className="button danger-text" disabled={busy} onClick={() => void remove()}>
        Delete
      </button>
      {asking === 'pause' && (
        <PauseDialog
          title="Pause this schedule?"
          text="It makes no messages until it is resumed; what falls into the pause is not made up for."
          onPause={(note) => void setPaused(true, note)}
          onClose={() => setAsking(null)}
        />
      )}
      {asking === 'backfill' && <BackfillDialog schedule={schedule} onClose={() => setAsking(null)} onDone={refresh} />}
    </span>
  );
}
