import type { ReactNode } from 'react';

/** Each state has a shape of its own, so that colour is never the only sign. */
export function Shape({ kind }: { kind: string }): ReactNode {
  switch (kind) {
    case 'processing':
    case 'claimed':
      return (
        <>
          <circle cx="6" cy="6" r="4.25" className="mark-line" />
          <path d="M6 1.75a4.25 4.25 0 0 1 0 8.5z" className="mark-fill" />
        </>
      );
    case 'delivered':
      return <circle cx="6" cy="6" r="5" className="mark-fill" />;
    case 'dead':
      return <path d="M2.25 2.25l7.5 7.5M9.75 2.25l-7.5 7.5" className="mark-line" />;
    case 'cancelled':
    case 'skipped':
    case 'ended':
      return <path d="M1.5 6h9" className="mark-line" />;
    case 'retried':
    case 'released':
    case 'reaped':
    case 'redriven':
    case 'retry':
      return <path d="M9.9 4.2A4.3 4.3 0 1 0 10.3 7M10.4 1.6v3h-3" className="mark-line" />;
    case 'paused':
      return <path d="M4 2.5v7M8 2.5v7" className="mark-line" />;
    case 'overdue':
      return <path d="M6 1.5v5.5M6 10.2v.3" className="mark-line" />;
    case 'updated':
      return <path d="M6 1.5L10.5 6 6 10.5 1.5 6z" className="mark-line" />;
    default:
      return <circle cx="6" cy="6" r="4.25" className="mark-line" />;
  }
}

export function Mark({ kind }: { kind: string }): ReactNode {
  return (
    <svg className={`mark tone-${kind}`} viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
      <Shape kind={kind} />
    </svg>
  );
}

export function StatusLabel({ status }: { status: string }): ReactNode {
  return (
    <span className={`status tone-${status}`}>
      <Mark kind={status} />
      {status}
    </span>
  );
}
