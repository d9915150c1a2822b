import { useCallback, useEffect, useMemo, useState } from 'react';
import type { ReactNode } from 'react';
import { applyEvents } from '../lib/feed';
import type { Gathered } from '../lib/paging';
import type { Filters } from '../lib/route';
import { Seam } from '../lib/seam';
import type { Message } from '../lib/types';
import { usePages } from '../state/pages';
import { useLive, useService } from '../state/service';
import { FilterBar } from '../ui/filter-bar';
import { MessageTable } from '../ui/message-table';
import { Paged } from '../ui/pager';
import { RedriveMany } from '../ui/redrive-many';

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
  const { subscribe } = useLive();
  // `filters` is this component's key: it never changes within one life.
  const seam = useMemo(
    () =>
      new Seam(
        (cursor, limit, signal) => api.list({ ...filters, limit, ...(cursor === null ? {} : { cursor }) }, signal),
        (query, signal) => api.history.list({ ...withoutPriority(filters), ...query }, signal),
        () => api.history.isKept(),
        filters,
      ),
    [api],
  );
  const pages = usePages<Message>(useCallback((cursor, limit, signal) => seam.page(cursor, limit, signal), [seam]));
  const { page, setPage } = pages;

  // Rows stay where they are and say what becomes of them: a list that moves by itself cannot be read, nor clicked.
  useEffect(
    () =>
      subscribe((events) =>
        setPage((before) => {
          if (!before) return before;
          const items = applyEvents(before.items, events);
          return items === before.items ? before : { ...before, items };
        }),
      ),
    [subscribe, setPage],
  );

  return (
    <Paged pages={pages}>
      {page && <MessageTable messages={page.items} />}
      {page && <Outcome page={page} filtered={Object.keys(filters).length > 0} />}
    </Paged>
  );
}

/** The history is not asked by priority; the list leaves out what has another. */
function withoutPriority({ priority: _, ...filters }: Filters): Omit<Filters, 'priority'> {
  return filters;
}

/** Why there is nothing, or not yet more, to see. */
function Outcome({ page, filtered }: { page: Gathered<Message>; filtered: boolean }): ReactNode {
  if (page.more)
    return (
      <p className="empty">
        {page.items.length === 0 ? 'Nothing found so far' : 'These were found so far'}; there is more to look through.
      </p>
    );
  if (page.items.length > 0) return null;
  return (
    <p className="empty">
      {filtered ? 'No message matches. ' : 'There are no messages yet. '}
      {filtered ? <a href="#/messages">Show all</a> : <a href="#/schedule">Schedule one</a>}
    </p>
  );
}
