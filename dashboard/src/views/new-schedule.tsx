import { useState } from 'react';
import type { FormEvent, ReactNode } from 'react';
import { problemsOf } from '../lib/http';
import { scheduleHref } from '../lib/route';
import { buildSchedule, emptyScheduleForm } from '../lib/schedule-form';
import type { FieldProblem } from '../lib/types';
import { useDialogs } from '../state/dialogs';
import { useOnce } from '../state/once';
import { go } from '../state/route';
import { useService } from '../state/service';
import { Problems } from '../ui/problems';
import { SameInCurl } from '../ui/same-in-curl';
import { ScheduleFields } from '../ui/schedule-fields';

export function NewScheduleView(): ReactNode {
  const { api, now } = useService();
  const { tell } = useDialogs();
  const [form, setForm] = useState(() => emptyScheduleForm(now()));
  const [problems, setProblems] = useState<FieldProblem[]>([]);
  const [busy, setBusy] = useState(false);
  const once = useOnce();

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const { request, problems: found } = buildSchedule(form);
    setProblems(found);
    if (found.length > 0) return;
    setBusy(true);
    try {
      // An id of one's own does the same as a key.
      const schedule = await api.schedules.create(request, 'id' in request ? null : once(request));
      tell('The schedule is made.');
      go(scheduleHref(schedule.id));
    } catch (error) {
      setProblems(problemsOf(error));
      setBusy(false);
    }
  };

  return (
    <section className="page" aria-labelledby="new-schedule-title">
      <p className="crumbs">
        <a href="#/schedules">Schedules</a>
      </p>
      <div className="page-head">
        <h1 id="new-schedule-title">Make a schedule</h1>
      </div>
      <div className="with-aside">
        <form className="form panel" onSubmit={(event) => void submit(event)} noValidate>
          <Problems problems={problems} />
          <ScheduleFields
            form={form}
            set={(part) => setForm((before) => ({ ...before, ...part }))}
            problems={problems}
            editing={false}
          />
          <div className="form-buttons">
            <button type="submit" className="button primary" disabled={busy}>
              Make the schedule
            </button>
          </div>
        </form>
        <SameInCurl route="v1/schedules" request={buildSchedule(form).request} />
      </div>
    </section>
  );
}
