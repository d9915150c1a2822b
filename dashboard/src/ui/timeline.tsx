import type { ReactNode } from 'react';
import { formatNear } from '../lib/time';
import { useService } from '../state/service';
import { timeline } from '../lib/timeline';
import type { Message } from '../lib/types';
import { Mark } from './marks';

export function Timeline({ message }: { message: Message }): ReactNode {
  const { now } = useService();
  return (
    <section className="panel" aria-labelledby="timeline">
      <h2 id="timeline">Timeline</h2>
      <ol className="timeline">
        {timeline(message).map((step, index) => (
          <li key={index} className={step.future ? 'future' : ''}>
            <Mark kind={step.kind} />
            <span>{step.text}</span>
            <time className="quiet figures" dateTime={new Date(step.at).toISOString()}>
              {formatNear(step.at, now())}
            </time>
          </li>
        ))}
      </ol>
    </section>
  );
}
