import type { ReactNode } from 'react';
import { formatNear, formatSpan, parseMoment } from '../lib/time';
import { outcomeKind, outcomeText } from '../lib/timeline';
import type { Attempt, Message } from '../lib/types';
import { useService } from '../state/service';
import { Mark } from './marks';

const TOLD_ABOVE = new Set([
  'attempt',
  'started_at',
  'duration_ms',
  'lateness_ms',
  'flow_wait_ms',
  'outcome',
  'status_code',
  'error',
  'response',
  'traceback',
]);

/** Each attempt with its evidence, newest first. */
export function Attempts({ message }: { message: Message }): ReactNode {
  const attempts = [...(message.attempts ?? [])].reverse();
  const result =
    message.result === undefined || message.result === null ? null : JSON.stringify(message.result, null, 2);
  return (
    <section className="panel" aria-labelledby="attempts">
      <h2 id="attempts">Attempts</h2>
      {attempts.length === 0 && <p className="empty">None yet.</p>}
      <ol className="attempts">
        {attempts.map((attempt, index) => (
          <AttemptEntry key={`${attempt.attempt} ${attempt.started_at}`} attempt={attempt} open={index === 0} />
        ))}
      </ol>
      {result !== null && <Evidence name="Result" text={result} />}
    </section>
  );
}

function AttemptEntry({ attempt, open }: { attempt: Attempt; open: boolean }): ReactNode {
  const { now } = useService();
  const started = parseMoment(attempt.started_at);
  // The chip says it already.
  const error = attempt.error === `HTTP ${attempt.status_code}` ? null : attempt.error;
  const rest = Object.entries(attempt).filter(
    ([key, value]) => !TOLD_ABOVE.has(key) && value !== null && value !== undefined,
  );
  return (
    <li>
      <details open={open}>
        <summary>
          <Mark kind={outcomeKind(attempt)} />
          <b>Attempt {attempt.attempt}</b> <span>{outcomeText(attempt)}</span>
          {attempt.status_code != null && <span className="code-chip figures">HTTP {attempt.status_code}</span>}
          <span className="quiet figures">
            {started !== null && formatNear(started, now())}
            {attempt.lateness_ms != null && `, ${formatSpan(attempt.lateness_ms)} late`}
            {attempt.flow_wait_ms ? `, ${formatSpan(attempt.flow_wait_ms)} of it at its flow key` : ''}
            {attempt.duration_ms != null && `, took ${formatSpan(attempt.duration_ms)}`}
          </span>
        </summary>
        {error && <p className="attempt-error">{error}</p>}
        {attempt.response && <Evidence name="Response" text={attempt.response} />}
        {attempt.traceback && <Evidence name="Traceback" text={attempt.traceback} />}
        {rest.map(([key, value]) => (
          <Evidence
            key={key}
            name={key.replaceAll('_', ' ')}
            text={typeof value === 'string' ? value : JSON.stringify(value, null, 2)}
          />
        ))}
      </details>
    </li>
  );
}

function Evidence({ name, text }: { name: string; text: string }): ReactNode {
  return (
    <div className="evidence">
      <h3>{name}</h3>
      <pre className="code" tabIndex={0} aria-label={name}>
        {text}
      </pre>
    </div>
  );
}
