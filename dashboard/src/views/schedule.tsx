import { useCallback, useEffect, useMemo, useState } from 'react';
import type { FormEvent, ReactNode } from 'react';
import { destination } from '../lib/describe';
import { formatCount } from '../lib/format';
import { problemsOf } from '../lib/http';
import { messageHref, messagesHref, schedulesHref } from '../lib/route';
import { scheduleChanges, scheduleFormOf } from '../lib/schedule-form';
import { isFailing, ruleText } from '../lib/schedules';
import type { Schedule } from '../lib/schedules';
import { formatMoment, formatSpan, parseMoment } from '../lib/time';
import type { FieldProblem } from '../lib/types';
import { useDialogs } from '../state/dialogs';
import { useRead } from '../state/read';
import { useLive, useService } from '../state/service';
import { Fact } from '../ui/fact';
import { StatusLabel } from '../ui/marks';
import { Payload } from '../ui/payload';
import { Problems } from '../ui/problems';
import { LastRuns, NextRuns, RunTimeline, Strip } from '../ui/runs';
import { ScheduleActions } from '../ui/schedule-actions';
import { ScheduleFields } from '../ui/schedule-fields';

const REFRESH_MS = 3_000;

export function ScheduleView({ id }: { id: string }): ReactNode {
  const { api } = useService();
  const { subscribe } = useLive();
  const [editing, setEditing] = useState(false);
  const read = useCallback((signal: AbortSignal) => api.schedules.one(id, signal), [api, id]);
  const { value: schedule, set, problem, missing, refresh } = useRead(read, REFRESH_MS);
  // A run's message bears the schedule's id in its own.
  useEffect(
    () => subscribe((events) => events.some((event) => event.id.startsWith(id)) && refresh()),
    [subscribe, refresh, id],
  );
  return (
    <article className="page message">
      <p className="crumbs">
        <a href="#/schedules">Schedules</a>
      </p>
      <div className="page-head">
        <h1 className="id">{id}</h1>
        {schedule && <StatusLabel status={schedule.overdue ? 'overdue' : schedule.status} />}
        {schedule && !editing && (
          <ScheduleActions schedule={schedule} onChanged={set} onEdit={() => setEditing(true)} refresh={refresh} />
        )}
      </div>
      {problem && (
        <p className="problem" role="alert">
          {missing ? 'No schedule has this id.' : problem}
        </p>
      )}
      {schedule && editing && (
        <EditSchedule
          schedule={schedule}
          onDone={(changed) => {
            if (changed) set(changed);
            setEditing(false);
            refresh();
          }}
        />
      )}
      {schedule && !editing && <Details schedule={schedule} />}
    </article>
  );
}

function Details({ schedule }: { schedule: Schedule }): ReactNode {
  return (
    <>
      {schedule.overdue && (
        <p className="last-error">
          <b>Overdue</b> Its moment has passed and no server planned it. Look at the sentence on the overview.
        </p>
      )}
      {isFailing(schedule) && (
        <p className="last-error">
          <b>The last run failed</b> Its message is a dead letter: open it and read its last error.
        </p>
      )}
      <RunTimeline past={schedule.last_runs} next={schedule.next_runs ?? []} />
      <div className="split">
        <div>
          <LastRuns runs={schedule.last_runs} />
          <p>
            <a href={messagesHref({ schedule: schedule.id })}>All of its messages</a>
          </p>
          <Payload message={schedule} />
        </div>
        <div>
          <NextRuns runs={schedule.next_runs ?? []} zone={schedule.timezone ?? 'UTC'} />
          <Facts schedule={schedule} />
          <CounterFacts schedule={schedule} />
        </div>
      </div>
    </>
  );
}

const CATCH_UP = { none: 'given up', latest: 'the latest is made up for', all: 'all are made up for' };
const OVERLAP = { allow: 'run beside each other', skip: 'a run is skipped', buffer: 'one run waits' };

function Facts({ schedule }: { schedule: Schedule }): ReactNode {
  const where = destination(schedule);
  const { start, end, jitter, catch_up: missed } = schedule;
  return (
    <section className="panel" aria-labelledby="facts">
      <h2 id="facts">Facts</h2>
      <dl className="facts">
        <Fact name="Runs">
          <code>{ruleText(schedule)}</code> <span className="quiet">{schedule.timezone ?? 'UTC'}</span>
        </Fact>
        {schedule.running && (
          <Fact name="Under way">
            <a href={messageHref(schedule.running)} className="id">
              {schedule.running}
            </a>
          </Fact>
        )}
        {schedule.buffered && <Fact name="Waits for it">{momentText(schedule.buffered)}</Fact>}
        {schedule.note && <Fact name="Note">{schedule.note}</Fact>}
        {start && <Fact name="Not before">{momentText(start)}</Fact>}
        {end && <Fact name="Not after">{momentText(end)}</Fact>}
        {schedule.max_runs != null && <Fact name="Runs at most">{formatCount(schedule.max_runs)}</Fact>}
        {jitter != null && <Fact name="Jitter">up to {spanText(jitter)}</Fact>}
        <Fact name="Missed runs">
          {CATCH_UP[missed.policy]}
          {missed.policy !== 'none' && <span className="quiet"> within {spanText(missed.window)}</span>}
          {missed.policy === 'all' && <span className="quiet">, at most {formatCount(missed.limit)}</span>}
        </Fact>
        <Fact name="Overlap">{OVERLAP[schedule.overlap]}</Fact>
        <Fact name="Channel">
          {schedule.channel}
          {where && <span className="quiet"> · {where}</span>}
        </Fact>
        <Fact name="Priority">{schedule.priority}</Fact>
        {schedule.labels.length > 0 && (
          <Fact name="Labels">
            {schedule.labels.map((label) => (
              <a key={label} href={schedulesHref({ label })}>
                {label}{' '}
              </a>
            ))}
          </Fact>
        )}
        <Fact name="Made">{momentText(schedule.created_at)}</Fact>
      </dl>
    </section>
  );
}

function CounterFacts({ schedule }: { schedule: Schedule }): ReactNode {
  const { made, delivered, dead, cancelled, caught_up: caughtUp, skipped } = schedule.counters;
  const facts: [string, number][] = [
    ['Made', made],
    ['Delivered', delivered],
    ['Dead letters', dead],
    ['Cancelled', cancelled],
    ['Made up for', caughtUp],
    ['Skipped: the run before was not done', skipped.overlap],
    ['Given up: no server was there', skipped.missed],
    ['Taken back by a change', skipped.changed],
  ];
  return (
    <section className="panel" aria-labelledby="counters">
      <div className="panel-head">
        <h2 id="counters">Runs so far</h2>
        <Strip runs={schedule.last_runs} />
      </div>
      <dl className="facts wide-names figures">
        {facts
          .filter(([, count], index) => index < 3 || count > 0)
          .map(([name, count]) => (
            <Fact key={name} name={name}>
              {formatCount(count)}
            </Fact>
          ))}
      </dl>
    </section>
  );
}

function momentText(value: string): string {
  const at = parseMoment(value);
  return at === null ? value : formatMoment(at);
}

/** A number is milliseconds' length in seconds; text stands as it was written. */
function spanText(value: string | number): string {
  return typeof value === 'number' ? formatSpan(value * 1000) : value;
}

interface EditProps {
  schedule: Schedule;
  /** With the changed schedule, or null when it was left as it is. */
  onDone: (changed: Schedule | null) => void;
}

/** Sends what differs and nothing else. */
function EditSchedule({ schedule, onDone }: EditProps): ReactNode {
  const { api, now } = useService();
  const { tell } = useDialogs();
  // The schedule goes on being read while it is edited; the form compares with what it was opened on.
  const before = useMemo(() => scheduleFormOf(schedule, now()), []);
  const [form, setForm] = useState(before);
  const [problems, setProblems] = useState<FieldProblem[]>([]);
  const [busy, setBusy] = useState(false);

  const save = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const { request, problems: found } = scheduleChanges(before, form);
    setProblems(found);
    if (found.length > 0) return;
    if (Object.keys(request).length === 0) return onDone(null);
    setBusy(true);
    try {
      const changed = await api.schedules.update(schedule.id, request);
      tell('Changed.');
      onDone(changed);
    } catch (error) {
      setProblems(problemsOf(error));
      setBusy(false);
    }
  };

  return (
    <form className="form panel" onSubmit={(event) => void save(event)} noValidate aria-label="Edit the schedule">
      <Problems problems={problems} />
      <ScheduleFields form={form} set={(part) => setForm((was) => ({ ...was, ...part }))} problems={problems} editing />
      <div className="form-buttons">
        <button type="submit" className="button primary" disabled={busy}>
          Save changes
        </button>
        <button type="button" className="button" onClick={() => onDone(null)}>
          Leave as it is
        </button>
      </div>
    </form>
  );
}
