import { formatSpan, parseMoment } from './time';
import type { Attempt, Message } from './types';

export interface Step {
  /** ms. */
  at: number;
  /** Picks the mark: a status or an outcome. */
  kind: string;
  text: string;
  /** Not yet: the moment it is due. */
  future?: boolean;
}

/** What the evidence calls an outcome, in words and as a mark. */
const OUTCOMES: Record<string, { kind: string; text: string }> = {
  delivered: { kind: 'delivered', text: 'delivered' },
  failed: { kind: 'dead', text: 'failed' },
  lost: { kind: 'reaped', text: 'lost: its server went silent' },
};

export function outcomeKind(attempt: Attempt): string {
  return OUTCOMES[attempt.outcome ?? '']?.kind ?? 'processing';
}

export function outcomeText(attempt: Attempt): string {
  return OUTCOMES[attempt.outcome ?? '']?.text ?? attempt.outcome ?? 'under way';
}

/** What happened to a message, oldest first, and what comes next. */
export function timeline(message: Message): Step[] {
  const steps: Step[] = [];
  const add = (value: string | number | null | undefined, kind: string, text: string): void => {
    const at = parseMoment(value);
    if (at !== null) steps.push({ at, kind, text });
  };
  add(message.created_at, 'scheduled', 'Accepted');
  const asked = parseMoment(message.scheduled_for);
  if (asked !== null && asked !== message.due_at_ms) add(asked, 'scheduled', 'Due, as asked for');
  const attempts = message.attempts ?? [];
  for (const attempt of attempts) {
    const lasted = attempt.duration_ms == null ? '' : ` (${formatSpan(attempt.duration_ms)})`;
    add(attempt.started_at, outcomeKind(attempt), `Attempt ${attempt.attempt}${lasted}: ${outcomeText(attempt)}`);
  }
  const ended = message.finished_at ?? message.updated_at;
  if (message.status === 'cancelled') add(ended, 'cancelled', 'Cancelled');
  if (message.status === 'delivered' && attempts.length === 0) add(ended, 'delivered', 'Delivered');
  if (message.status === 'dead') add(ended, 'dead', 'Became a dead letter');
  if (message.status === 'processing')
    add(message.started_at ?? message.updated_at, 'processing', `Attempt ${message.attempt}: under way`);
  steps.sort((a, b) => a.at - b.at);
  if (message.status === 'scheduled') {
    steps.push({ at: message.due_at_ms, kind: 'scheduled', text: `Due, attempt ${message.attempt + 1}`, future: true });
  }
  return steps;
}
