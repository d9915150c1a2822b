import { useCallback } from 'react';
import type { ReactNode } from 'react';
import { scheduleHref } from '../lib/route';
import { isFailing, ruleText } from '../lib/schedules';
import type { Schedule } from '../lib/schedules';
import type { Stats } from '../lib/types';
import { useRead } from '../state/read';
import { useService } from '../state/service';
import { StatusLabel } from './marks';
import { Countdown } from './moment';
import { Strip } from './runs';

/** The list has the soonest first, so that those that are overdue are in it; of those that fail maybe not all. */
const LOOKED_AT = 200;
const SHOWN = 10;
const INTERVAL_MS = 5_000;

/** Schedules that are overdue or whose last run failed; nothing while there is none. */
export function TroubledSchedules({ schedules }: { schedules: Stats['schedules'] }): ReactNode {
  const { api } = useService();
  const troubled = Boolean(schedules?.overdue || schedules?.failing);
  const read = useCallback(
    async (signal: AbortSignal) => {
      const { items } = await api.schedules.list({ limit: LOOKED_AT }, signal);
      return items.filter((one) => one.overdue || isFailing(one)).slice(0, SHOWN);
    },
    [api],
  );
  const { value } = useRead(read, INTERVAL_MS, troubled);
  if (!troubled || !value?.length) return null;
  return (
    <section className="panel" aria-labelledby="troubled">
      <h2 id="troubled">Schedules in trouble</h2>
      <table className="servers">
        <thead>
          <tr>
            <th scope="col">Schedule</th>
            <th scope="col">Status</th>
            <th scope="col">Next run</th>
            <th scope="col">Last runs</th>
          </tr>
        </thead>
        <tbody>
          {value.map((one) => (
            <Row key={one.id} schedule={one} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Row({ schedule }: { schedule: Schedule }): ReactNode {
  return (
    <tr>
      <th scope="row">
        <a href={scheduleHref(schedule.id)} className="id">
          {schedule.id}
        </a>{' '}
        <span className="quiet">{ruleText(schedule)}</span>
      </th>
      <td>
        <StatusLabel status={schedule.overdue ? 'overdue' : schedule.status} />
      </td>
      <td>{schedule.next_run ? <Countdown at={schedule.next_run.at_ms} /> : <span className="quiet">none</span>}</td>
      <td>
        <Strip runs={schedule.last_runs} />
      </td>
    </tr>
  );
}
