import { useCallback, useEffect, useState } from 'react';
import type { ReactNode } from 'react';
import { ApiError } from '../lib/http';
import { destination } from '../lib/describe';
import { flowHref, messageHref, scheduleHref } from '../lib/route';
import { formatMoment, formatSpan, parseMoment } from '../lib/time';
import type { Message } from '../lib/types';
import { usePoll } from '../state/poll';
import { failureOf, useLive, useService } from '../state/service';
import { Attempts } from '../ui/attempts';
import { EditForm } from '../ui/edit-form';
import { Fact } from '../ui/fact';
import { StatusLabel } from '../ui/marks';
import { MessageActions } from '../ui/message-actions';
import { Countdown, Moment } from '../ui/moment';
import { Payload } from '../ui/payload';
import { Timeline } from '../ui/timeline';

const ACTIVE_MS = 2_000;
const FINISHED_MS = 15_000;

export function MessageView({ id }: { id: string }): ReactNode {
  const { api } = useService();
  const { subscribe } = useLive();
  const [message, setMessage] = useState<Message | null>(null);
  const [problem, setProblem] = useState('');
  const [editing, setEditing] = useState(false);

  const read = useCallback(
    async (signal: AbortSignal) => {
      try {
        setMessage(await api.message(id, signal));
        setProblem('');
      } catch (error) {
        if (signal.aborted) return;
        setProblem(
          error instanceof ApiError && error.status === 404
            ? 'No message has this id. It may have been finished and forgotten (retention).'
            : failureOf(error).detail,
        );
      }
    },
    [api, id],
  );
  const active = message?.status === 'scheduled' || message?.status === 'processing';
  const refresh = usePoll(read, active ? ACTIVE_MS : FINISHED_MS);
  useEffect(
    () => subscribe((events) => events.some((event) => event.id === id) && refresh()),
    [subscribe, refresh, id],
  );

  return (
    <article className="page message">
      <p className="crumbs">
        <a href="#/messages">Messages</a>
      </p>
      <div className="page-head">
        <h1 className="id">{id}</h1>
        {message && <StatusLabel status={message.status} />}
        {message && !editing && (
          <MessageActions message={message} onChanged={setMessage} onEdit={() => setEditing(true)} />
        )}
      </div>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {message && editing && (
        <EditForm
          message={message}
          onDone={(changed) => {
            if (changed) setMessage(changed);
            setEditing(false);
          }}
        />
      )}
      {message && !editing && <Details message={message} />}
    </article>
  );
}

function Details({ message }: { message: Message }): ReactNode {
  return (
    <>
      {message.last_error && message.status !== 'delivered' && (
        <p className="last-error">
          <b>Last error</b> {message.last_error}
        </p>
      )}
      <div className="split">
        <div>
          <Payload message={message} />
          <Attempts message={message} />
        </div>
        <div>
          <Facts message={message} />
          <Timeline message={message} />
        </div>
      </div>
    </>
  );
}

function Facts({ message }: { message: Message }): ReactNode {
  const created = parseMoment(message.created_at);
  const asked = parseMoment(message.scheduled_for);
  const max = message.max_attempts;
  return (
    <section className="panel" aria-labelledby="facts">
      <h2 id="facts">Facts</h2>
      <dl className="facts">
        <Fact name={message.status === 'scheduled' && message.attempt > 0 ? 'Next attempt' : 'Due'}>
          <Moment at={message.due_at_ms} />
          {message.status === 'scheduled' && (
            <b className="fact-countdown">
              <Countdown at={message.due_at_ms} />
            </b>
          )}
        </Fact>
        {asked !== null && asked !== message.due_at_ms && (
          <Fact name="Asked for">
            <Moment at={asked} />
          </Fact>
        )}
        <Fact name="Channel">
          {message.channel}
          {destination(message) && <span className="quiet"> · {destination(message)}</span>}
        </Fact>
        {message.webhook?.url && (
          <Fact name="Calls">
            <span className="breakable">
              {message.webhook.method ?? 'POST'} {message.webhook.url}
            </span>
          </Fact>
        )}
        <Fact name="Priority">{message.priority}</Fact>
        <Fact name="Attempts">
          <span className="figures">
            {message.attempt}
            {max != null && (max > 0 ? ` of ${max}` : ', unlimited')}
          </span>
        </Fact>
        {message.redriven_from && (
          <Fact name="Repeats">
            <a href={messageHref(message.redriven_from)} className="id">
              {message.redriven_from}
            </a>
          </Fact>
        )}
        {message.flow && <FlowFact flow={message.flow} />}
        {message.schedule_id && <MadeBy schedule={message.schedule_id} origin={message.origin ?? ''} />}
        {created !== null && (
          <Fact name="Accepted">
            <span className="figures">{formatMoment(created)}</span>
          </Fact>
        )}
      </dl>
    </section>
  );
}

function FlowFact({ flow }: { flow: NonNullable<Message['flow']> }): ReactNode {
  return (
    <Fact name="Flow key">
      <a href={flowHref(flow.key)} className="id">
        {flow.key}
      </a>
      {flow.waited_ms > 0 && (
        <span className="quiet figures"> · kept it back for {formatSpan(flow.waited_ms)} of its lateness</span>
      )}
    </Fact>
  );
}

const ORIGINS: Record<string, string> = {
  catch_up: 'to make up for a missed run',
  backfill: 'by a backfill',
  run: 'by hand, beside the plan',
};

function MadeBy({ schedule, origin }: { schedule: string; origin: string }): ReactNode {
  return (
    <Fact name="Made by">
      <a href={scheduleHref(schedule)} className="id">
        {schedule}
      </a>{' '}
      <span className="quiet">{ORIGINS[origin] ?? ''}</span>
    </Fact>
  );
}
