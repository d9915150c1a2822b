import type { ReactNode } from 'react';
import { formatCount } from '../lib/format';
import { formatSpan } from '../lib/time';
import type { HeldBack } from '../lib/types';

/** The destinations that took no more within the last minute; nothing while there is none. */
export function HeldBackPanel({ held }: { held: HeldBack | undefined }): ReactNode {
  const destinations = held?.destinations ?? [];
  if (destinations.length === 0) return null;
  return (
    <section className="panel" aria-labelledby="held-back">
      <h2 id="held-back">Destinations that take no more for now</h2>
      <table className="servers">
        <thead>
          <tr>
            <th scope="col">Destination</th>
            <th scope="col" className="number">
              Put off, last minute
            </th>
            <th scope="col" className="number">
              Oldest due for
            </th>
          </tr>
        </thead>
        <tbody>
          {destinations.map((one) => (
            <tr key={one.destination}>
              <th scope="row">{one.destination}</th>
              <td className="number figures">{formatCount(one.put_off)} ×</td>
              <td className="number figures">{one.oldest_age_ms == null ? '–' : formatSpan(one.oldest_age_ms)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
