import { useCallback, useState } from 'react';
import type { ReactNode } from 'react';
import { destination, excerpt } from '../lib/describe';
import { scheduleHref, schedulesHref } from '../lib/route';
import type { ScheduleFilters } from '../lib/route';
import { ruleText, SCHEDULE_STATUSES } from '../lib/schedules';
import type { Schedule } from '../lib/schedules';
import { formatMoment } from '../lib/time';
import { usePages } from '../state/pages';
import { go } from '../state/route';
import { useService } from '../state/service';
import { Mark, StatusLabel } from '../ui/marks';
import { Countdown } from '../ui/moment';
import { Paged } from '../ui/pager';
import { Strip } from '../ui/runs';

export function SchedulesView({ filters }: { filters: ScheduleFilters }): ReactNode {
  const key = JSON.stringify(filters);
  return (
    <section className="page" aria-labelledby="schedules-title">
      <div className="page-head">
        <h1 id="schedules-title">Schedules</h1>
        <a className="button" href="#/new-schedule">
          Make a schedule
        </a>
      </div>
      <div className="filters">
        <nav className="tabs" aria-label="Status">
          <Tab filters={filters} status="" label="All" />
          {SCHEDULE_STATUSES.map((status) => (
            <Tab key={status} filters={filters} status={status} label={status} />
          ))}
        </nav>
        <LabelFilter key={key} filters={filters} />
      </div>
      <Results key={key} filters={filters} />
    </section>
  );
}

function Tab({ filters, status, label }: { filters: ScheduleFilters; status: string; label: string }): ReactNode {
  return (
    <a
      href={schedulesHref({ ...filters, status })}
      aria-current={(filters.status ?? '') === status ? 'true' : undefined}
    >
      {status && <Mark kind={status} />}
      {label}
    </a>
  );
}

function LabelFilter({ filters }: { filters: ScheduleFilters }): ReactNode {
  const [label, setLabel] = useState(filters.label ?? '');
  return (
    <form
      role="search"
      className="find"
      onSubmit={(event) => {
        event.preventDefault();
        go(schedulesHref({ ...filters, label: label.trim() }));
      }}
    >
      <label className="visually-hidden" htmlFor="find-label">
        With this label
      </label>
      <input
        id="find-label"
        type="search"
        placeholder="Label"
        spellCheck={false}
        value={label}
        onChange={(event) => setLabel(event.target.value)}
      />
      <button type="submit" className="button">
        Filter
      </button>
    </form>
  );
}

function Results({ filters }: { filters: ScheduleFilters }): ReactNode {
  const { api } = useService();
  const pages = usePages<Schedule>(
    useCallback(
      (cursor, limit, signal) => api.schedules.list({ ...filters, limit, cursor: cursor ?? undefined }, signal),
      // `filters` is this component's key: it never changes within one life.
      [api],
    ),
  );
  const { page } = pages;
  return (
    <Paged pages={pages}>
      {page && page.items.length > 0 && <Table schedules={page.items} />}
      {page && page.items.length === 0 && (
        <p className="empty">
          {Object.keys(filters).length > 0 ? 'No schedule matches. ' : 'There are no schedules yet. '}
          {Object.keys(filters).length > 0 ? <a href="#/schedules">Show all</a> : <a href="#/new-schedule">Make one</a>}
        </p>
      )}
    </Paged>
  );
}

function Table({ schedules }: { schedules: readonly Schedule[] }): ReactNode {
  return (
    <table className="messages schedules">
      <thead>
        <tr>
          <th scope="col">Status</th>
          <th scope="col">Next run</th>
          <th scope="col">Schedule</th>
          <th scope="col">Last runs</th>
          <th scope="col" className="wide-only">
            Goes to
          </th>
        </tr>
      </thead>
      <tbody>
        {schedules.map((schedule) => (
          <Row key={schedule.id} schedule={schedule} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ schedule }: { schedule: Schedule }): ReactNode {
  const next = schedule.next_run;
  const where = destination(schedule);
  return (
    <tr>
      <td>
        <StatusLabel status={schedule.overdue ? 'overdue' : schedule.status} />
      </td>
      <td className="due">
        {next ? (
          <>
            <span className={schedule.overdue ? 'tone-bad' : ''}>
              <Countdown at={next.at_ms} />
            </span>
            <span className="quiet figures">{formatMoment(next.at_ms)}</span>
          </>
        ) : (
          <span className="quiet">{schedule.note || 'none'}</span>
        )}
      </td>
      <th scope="row" className="what">
        <a href={scheduleHref(schedule.id)} className="id">
          {schedule.id}
        </a>
        <span className="excerpt">
          <code>{ruleText(schedule)}</code> {schedule.timezone}
        </span>
        <span className="excerpt">{excerpt(schedule)}</span>
      </th>
      <td>
        <Strip runs={schedule.last_runs} />
      </td>
      <td className="wide-only">
        {schedule.channel}
        {where && <span className="quiet goes-to">{where}</span>}
      </td>
    </tr>
  );
}
