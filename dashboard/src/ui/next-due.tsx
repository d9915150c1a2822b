import { useCallback, useEffect, useState } from 'react';
import type { ReactNode } from 'react';
import { usePoll } from '../state/poll';
import { useLive, useService } from '../state/service';
import { destination, excerpt } from '../lib/describe';
import { messageHref } from '../lib/route';
import type { Message } from '../lib/types';
import { Countdown } from './moment';

const SHOWN = 8;
const INTERVAL_MS = 2_000;
/** While messages wait at flow keys, the list begins so long ago (ms). */
const AGO_MS = 5_000;

export function NextDue(): ReactNode {
  const { api, failure, stats, now } = useService();
  const keyed = Boolean(stats?.flow?.waiting);
  const [messages, setMessages] = useState<Message[] | null>(null);
  const read = useCallback(
    async (signal: AbortSignal) => {
      try {
        // What waits at a flow key is due for long, and would fill the list; it is told beside the figures.
        const since = keyed ? { since: new Date(now() - AGO_MS).toISOString() } : {};
        const page = await api.list({ status: 'scheduled', limit: SHOWN, ...since }, signal);
        setMessages(page.items);
      } catch {
        // The health sentence says what is wrong; the list stays as it was.
      }
    },
    [api, now, keyed],
  );
  const refresh = usePoll(read, INTERVAL_MS, failure === null);
  const { subscribe } = useLive();
  useEffect(() => {
    const shown = new Set(messages?.map((message) => message.id));
    return subscribe((events) => events.some((event) => shown.has(event.id)) && refresh());
  }, [subscribe, refresh, messages]);
  return (
    <section className="panel" aria-labelledby="next-due">
      <h2 id="next-due">Next due</h2>
      {messages?.length === 0 && (
        <p className="empty">
          Nothing is scheduled. <a href="#/schedule">Schedule a message</a>
        </p>
      )}
      <ol className="next-due">
        {messages?.map((message) => (
          <li key={message.id}>
            <span className="next-when">
              <Countdown at={message.due_at_ms} />
            </span>
            <a href={messageHref(message.id)} className="next-what">
              {excerpt(message) || '(empty)'}
            </a>
            <span className="quiet next-where">
              {message.channel}
              {destination(message) && ` · ${destination(message)}`}
              {message.attempt > 0 && ` · attempt ${message.attempt + 1}`}
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}
