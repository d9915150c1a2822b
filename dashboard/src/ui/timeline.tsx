import type { ReactNode } from 'react';
import { formatMoment } from '../lib/time';
import { timeline } from '../lib/timeline';
import type { Message } from '../lib/types';
import { Mark } from './marks';

export function Timeline({ message }: { message: Message }): ReactNode {
  return (
    <section className="panel" aria-labelledby="timeline">
      <h2 id="timeline">Timeline</h2>
      <ol className="timeline">
        {timeline(message).map((step, index) => (
          <li key={index} className={step.future ? 'future' : ''}>
            <Mark kind={step.kind} />
            <span>{step.text}</span>
            <time className="quiet figures" dateTime={new Date(step.at).toISOString()}>
              {formatMoment(step.at)}
            </time>
          </li>
        ))}
      </ol>
    </section>
  );
}
