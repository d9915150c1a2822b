import { useCallback, useEffect, useRef, useState } from 'react';
import type { ReactNode } from 'react';
import { usePoll } from '../state/poll';
import { failureOf, useLive, useService } from '../state/service';
import { applyEvents } from '../lib/feed';
import { back, currentCursor, FIRST_PAGE, forward, gather } from '../lib/paging';
import type { Gathered, Trail } from '../lib/paging';
import type { Filters } from '../lib/route';
import { FilterBar } from '../ui/filter-bar';
import { MessageTable } from '../ui/message-table';
import { RedriveMany } from '../ui/redrive-many';

const PAGE = 50;
const REFRESH_MS = 5_000;

export function MessagesView({ filters }: { filters: Filters }): ReactNode {
  const [redriving, setRedriving] = useState(false);
  const { stats } = useService();
  const key = JSON.stringify(filters);
  return (
    <section className="page" aria-labelledby="messages-title">
      <div className="page-head">
        <h1 id="messages-title">Messages</h1>
        {Boolean(stats?.dead) && (
          <button type="button" className="button" onClick={() => setRedriving(true)}>
            Redrive dead letters …
          </button>
        )}
      </div>
      <FilterBar key={`bar ${key}`} filters={filters} />
      <Results key={key} filters={filters} />
      {redriving && <RedriveMany channel={filters.channel ?? ''} onClose={() => setRedriving(false)} />}
    </section>
  );
}

function Results({ filters }: { filters: Filters }): ReactNode {
  const { api } = useService();
  const { subscribe, state } = useLive();
  const [trail, setTrail] = useState<Trail>(FIRST_PAGE);
  const [page, setPage] = useState<Gathered | null>(null);
  const [problem, setProblem] = useState('');
  const [loading, setLoading] = useState(true);
  const top = useRef<HTMLDivElement>(null);
  const cursor = currentCursor(trail);

  const read = useCallback(
    async (signal: AbortSignal) => {
      try {
        const found = await gather(
          (from, limit) => api.list({ ...filters, limit, ...(from === null ? {} : { cursor: from }) }, signal),
          cursor,
          PAGE,
        );
        setPage(found);
        setProblem('');
      } catch (error) {
        if (signal.aborted) return;
        setProblem(failureOf(error).detail);
      }
      setLoading(false);
    },
    // `filters` is this component's key: it never changes within one life.
    [api, cursor],
  );
  // Only the first page is kept fresh: a page further down must not move while it is read.  A long search is not repeated.
  const fresh = cursor === null && !page?.more;
  const refresh = usePoll(read, fresh ? REFRESH_MS : 24 * 3_600_000);
  // What happened before the events began to arrive.
  useEffect(() => {
    if (state === 'live') refresh();
  }, [state, refresh]);

  // Rows stay where they are and say what becomes of them: a list that moves by itself cannot be read, nor clicked.
  useEffect(
    () =>
      subscribe((events) =>
        setPage((before) => {
          if (!before) return before;
          const messages = applyEvents(before.messages, events);
          return messages === before.messages ? before : { ...before, messages };
        }),
      ),
    [subscribe],
  );

  const turn = (to: Trail): void => {
    setLoading(true);
    setTrail(to);
    top.current?.scrollIntoView({ block: 'start' });
  };
  useEffect(() => {
    if (trail !== FIRST_PAGE) top.current?.focus({ preventScroll: true });
  }, [trail]);

  return (
    <div ref={top} tabIndex={-1} className="results" aria-busy={loading}>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {page && <MessageTable messages={page.messages} />}
      {page && <Outcome page={page} filtered={Object.keys(filters).length > 0} />}
      {!page && !problem && <p className="empty">Looking …</p>}
      <nav className="pager" aria-label="Pages">
        <button type="button" className="button" disabled={trail.length === 1} onClick={() => turn(FIRST_PAGE)}>
          First
        </button>
        <button type="button" className="button" disabled={trail.length === 1} onClick={() => turn(back(trail))}>
          Previous
        </button>
        <span className="quiet figures">Page {trail.length}</span>
        <button
          type="button"
          className="button"
          disabled={!page?.next || loading}
          onClick={() => turn(forward(trail, page?.next ?? null))}
        >
          {page?.more ? 'Search on' : 'Next'}
        </button>
      </nav>
    </div>
  );
}

/** Why there is nothing, or not yet more, to see. */
function Outcome({ page, filtered }: { page: Gathered; filtered: boolean }): ReactNode {
  if (page.more)
    return (
      <p className="empty">
        {page.messages.length === 0 ? 'Nothing found so far' : 'These were found so far'}; there is more to look
        through.
      </p>
    );
  if (page.messages.length > 0) return null;
  return (
    <p className="empty">
      {filtered ? 'No message matches. ' : 'There are no messages yet. '}
      {filtered ? <a href="#/messages">Show all</a> : <a href="#/schedule">Schedule one</a>}
    </p>
  );
}
