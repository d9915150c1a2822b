import { useCallback, useEffect, useRef, useState } from 'react';
import type { Dispatch, RefObject, SetStateAction } from 'react';
import { currentCursor, FIRST_PAGE, gather } from '../lib/paging';
import type { Gathered, Page, Trail } from '../lib/paging';
import { usePoll } from './poll';
import { failureOf, useLive } from './service';

const PAGE = 50;
const REFRESH_MS = 5_000;
const NEVER_MS = 24 * 3_600_000;

export interface Pages<T> {
  page: Gathered<T> | null;
  setPage: Dispatch<SetStateAction<Gathered<T> | null>>;
  problem: string;
  loading: boolean;
  trail: Trail;
  turn: (to: Trail) => void;
  refresh: () => void;
  /** Belongs to the element that a new page begins with. */
  top: RefObject<HTMLDivElement | null>;
}

type Read<T> = (cursor: string | null, limit: number, signal: AbortSignal) => Promise<Page<T>>;

/** A list in pages, of which the first is kept fresh.  `read` must be stable. */
export function usePages<T>(read: Read<T>): Pages<T> {
  const { state } = useLive();
  const [trail, setTrail] = useState<Trail>(FIRST_PAGE);
  const [page, setPage] = useState<Gathered<T> | null>(null);
  const [problem, setProblem] = useState('');
  const [loading, setLoading] = useState(true);
  const top = useRef<HTMLDivElement>(null);
  const cursor = currentCursor(trail);

  const work = useCallback(
    async (signal: AbortSignal) => {
      try {
        setPage(await gather((from, limit) => read(from, limit, signal), cursor, PAGE));
        setProblem('');
      } catch (error) {
        if (signal.aborted) return;
        setProblem(failureOf(error).detail);
      }
      setLoading(false);
    },
    [read, cursor],
  );
  // Only the first page is kept fresh: a page further down must not move while it is read.  A long search is not repeated.
  const fresh = cursor === null && !page?.more;
  const refresh = usePoll(work, fresh ? REFRESH_MS : NEVER_MS);
  // What happened before the events began to arrive.
  useEffect(() => {
    if (state === 'live') refresh();
  }, [state, refresh]);

  const turn = (to: Trail): void => {
    setLoading(true);
    setTrail(to);
    top.current?.scrollIntoView({ block: 'start' });
  };
  useEffect(() => {
    if (trail !== FIRST_PAGE) top.current?.focus({ preventScroll: true });
  }, [trail]);
  return { page, setPage, problem, loading, trail, turn, refresh, top };
}
