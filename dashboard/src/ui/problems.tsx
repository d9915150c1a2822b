import { useEffect, useRef } from 'react';
import type { ReactNode } from 'react';
import type { FieldProblem } from '../lib/types';

/** Everything that is wrong with a form, above it; the focus goes here so that it is read out. */
export function Problems({ problems }: { problems: readonly FieldProblem[] }): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (problems.length > 0) box.current?.focus();
  }, [problems]);
  if (problems.length === 0) return null;
  return (
    <div className="problem-box" role="alert" tabIndex={-1} ref={box}>
      <b>Not yet:</b>
      <ul>
        {problems.map((problem) => (
          <li key={`${problem.field} ${problem.message}`}>
            {problem.field && <code>{problem.field}</code>} {problem.message}
          </li>
        ))}
      </ul>
    </div>
  );
}
