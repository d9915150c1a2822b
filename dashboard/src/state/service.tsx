import { createContext, useCallback, useContext, useEffect, useMemo, useRef, useState } from 'react';
import type { ReactNode } from 'react';
import { Api } from '../lib/api';
import { EventStream, reachableUrl } from '../lib/events';
import type { StreamState } from '../lib/events';
import { addEvents, EMPTY_FEED } from '../lib/feed';
import type { Feed } from '../lib/feed';
import { assess, DeadWatch } from '../lib/health';
import type { DeadTrend, Failure, Health } from '../lib/health';
import { ApiError, Http } from '../lib/http';
import { notes } from '../lib/notes';
import type { Note } from '../lib/notes';
import { clockOffset, parseMoment } from '../lib/time';
import type { ServiceEvent, Stats } from '../lib/types';
import { currentToken, rememberToken } from './token';
import { usePoll } from './poll';

const STATS_MS = 2_000;

interface Service {
  api: Api;
  stats: Stats | null;
  failure: Failure | null;
  health: Health;
  notes: Note[];
  /** ms, by the service's clock, whatever this machine's clock says. */
  now: () => number;
  refresh: () => void;
  /** True when the token just entered was refused. */
  refused: boolean;
  signIn: (token: string) => void;
}

interface Live {
  feed: Feed;
  state: StreamState;
  reason: string;
  /** Calls back with every batch of events; returns how to stop that. */
  subscribe: (listener: (events: ServiceEvent[]) => void) => () => void;
}

const ServiceContext = createContext<Service | null>(null);
const LiveContext = createContext<Live | null>(null);

export function useService(): Service {
  const service = useContext(ServiceContext);
  if (!service) throw new Error('useService is used outside of ServiceProvider');
  return service;
}

export function useLive(): Live {
  const live = useContext(LiveContext);
  if (!live) throw new Error('useLive is used outside of ServiceProvider');
  return live;
}

export function failureOf(error: unknown): Failure {
  if (!(error instanceof ApiError)) return { kind: 'error', detail: String(error) };
  if (error.unauthorized) return { kind: 'auth', detail: error.detail };
  if (error.unreachable) return { kind: 'unreachable', detail: error.detail };
  return { kind: error.redisAway ? 'redis' : 'error', detail: error.detail };
}

interface Known {
  stats: Stats | null;
  failure: Failure | null;
  trend: DeadTrend | null;
  offset: number;
}

export function ServiceProvider({ children }: { children: ReactNode }): ReactNode {
  const api = useMemo(() => new Api(new Http(document.baseURI, currentToken)), []);
  const watch = useRef(new DeadWatch());
  const [session, setSession] = useState(0);
  const [known, setKnown] = useState<Known>({ stats: null, failure: null, trend: null, offset: 0 });
  const offset = useRef(0);

  const read = useCallback(
    async (signal: AbortSignal) => {
      const sent = Date.now();
      try {
        const stats = await api.stats(signal);
        const server = parseMoment(stats.redis_time);
        if (server !== null) offset.current = clockOffset(server, sent, Date.now());
        watch.current.add(Date.now(), stats.dead ?? 0);
        setKnown({ stats, failure: null, trend: watch.current.trend(), offset: offset.current });
      } catch (error) {
        if (signal.aborted) return;
        const failure = failureOf(error);
        setKnown((before) => ({ ...before, failure }));
      }
    },
    [api],
  );
  // Without its token there is nothing to ask for; `session` changes when one is entered.
  const locked = known.failure?.kind === 'auth';
  const refresh = usePoll(read, STATS_MS, !locked, session);
  const now = useCallback(() => Date.now() + offset.current, []);
  const signIn = useCallback((token: string) => {
    rememberToken(token);
    setKnown((before) => ({ ...before, failure: null }));
    setSession((number) => number + 1);
  }, []);

  const service = useMemo<Service>(() => {
    const { stats, failure, trend } = known;
    const health = assess({ stats, failure, trend, now: now() });
    return {
      api,
      stats,
      failure,
      health,
      notes: notes(stats, health.code),
      now,
      refresh,
      refused: session > 0,
      signIn,
    };
  }, [api, known, now, refresh, session, signIn]);

  return (
    <ServiceContext value={service}>
      <LiveProvider url={known.stats?.events_url ?? null} session={session}>
        {children}
      </LiveProvider>
    </ServiceContext>
  );
}

function LiveProvider({
  url,
  session,
  children,
}: {
  url: string | null;
  session: number;
  children: ReactNode;
}): ReactNode {
  const [feed, setFeed] = useState<Feed>(EMPTY_FEED);
  const [status, setStatus] = useState<{ state: StreamState; reason: string }>({ state: 'off', reason: '' });
  const listeners = useRef(new Set<(events: ServiceEvent[]) => void>());

  useEffect(() => {
    if (!url) return;
    const stream = new EventStream({
      url: reachableUrl(url, window.location),
      token: currentToken,
      onEvents: (events) => {
        setFeed((before) => addEvents(before, events));
        for (const listener of listeners.current) listener(events);
      },
      onState: (state, reason) => setStatus({ state, reason }),
    });
    stream.start();
    return () => stream.stop();
  }, [url, session]);

  const subscribe = useCallback((listener: (events: ServiceEvent[]) => void) => {
    listeners.current.add(listener);
    return () => void listeners.current.delete(listener);
  }, []);
  const live = useMemo(() => ({ feed, subscribe, ...status }), [feed, status, subscribe]);
  return <LiveContext value={live}>{children}</LiveContext>;
}
