import { useState } from 'react';
import type { ReactNode } from 'react';
import { useLive, useService } from '../state/service';
import type { StreamState } from '../lib/events';
import type { Failure } from '../lib/health';
import { chooseTheme, currentTheme } from '../lib/theme';
import type { Route } from '../lib/route';

const PLACES: readonly (readonly [Route['view'], string, string])[] = [
  ['overview', '#/', 'Overview'],
  ['messages', '#/messages', 'Messages'],
  ['schedules', '#/schedules', 'Schedules'],
  ['flows', '#/flows', 'Flow control'],
  ['over-time', '#/over-time', 'Over time'],
];

export function Header({ view }: { view: Route['view'] }): ReactNode {
  return (
    <header className="top">
      <a className="brand" href="#/" aria-label="Message Scheduling Service, overview">
        <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
          <circle cx="16" cy="16" r="13" />
          <path d="M16 8.5V16l5 4" />
        </svg>
        <span>Message Scheduling Service</span>
      </a>
      <nav aria-label="Main">
        {PLACES.map(([place, href, name]) => (
          <a key={place} href={href} aria-current={view === place ? 'page' : undefined}>
            {name}
          </a>
        ))}
      </nav>
      <span className="top-space" />
      <Connection />
      <ThemeToggle />
      <a className="button primary" href="#/schedule" aria-current={view === 'new-message' ? 'page' : undefined}>
        Schedule<span className="wide-only">&nbsp;a message</span>
      </a>
    </header>
  );
}

const FAILURES: Record<Failure['kind'], string> = {
  auth: 'locked',
  error: 'error',
  redis: 'Redis away',
  unreachable: 'no answer',
};

function freshness(state: StreamState, reason: string): [string, string, string] {
  if (state === 'live') return ['ok', 'live', 'Events arrive as they happen.'];
  if (state === 'off') return ['warn', 'every 2 s', 'This service offers no live events; the figures are fetched.'];
  return ['warn', 'every 2 s', `Live events are reconnecting. ${reason}`];
}

/** Whether what is on the page is fresh, and why not. */
function Connection(): ReactNode {
  const { failure } = useService();
  const { state, reason } = useLive();
  const [tone, text, title] = failure ? ['bad', FAILURES[failure.kind], failure.detail] : freshness(state, reason);
  return (
    <span className={`connection tone-${tone}`} title={title}>
      <span className="dot" aria-hidden="true" />
      <span className="connection-text">{text}</span>
    </span>
  );
}

function ThemeToggle(): ReactNode {
  const [theme, setTheme] = useState(currentTheme);
  const other = theme === 'dark' ? 'light' : 'dark';
  return (
    <button
      type="button"
      className="icon-button"
      aria-label={`Switch to the ${other} theme`}
      title={`Switch to the ${other} theme`}
      onClick={() => {
        chooseTheme(other);
        setTheme(other);
      }}
    >
      <svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true">
        <circle cx="10" cy="10" r="6.5" fill="none" stroke="currentColor" strokeWidth="1.6" />
        <path d="M10 3.5a6.5 6.5 0 0 1 0 13z" fill="currentColor" />
      </svg>
    </button>
  );
}
