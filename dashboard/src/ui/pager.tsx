import type { ReactNode } from 'react';
import { back, FIRST_PAGE, forward } from '../lib/paging';
import type { Pages } from '../state/pages';

/** A page of a list with what leads to the others. */
export function Paged<T>({ pages, children }: { pages: Pages<T>; children: ReactNode }): ReactNode {
  const { page, problem, loading, trail, turn, top } = pages;
  return (
    <div ref={top} tabIndex={-1} className="results" aria-busy={loading}>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {children}
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
