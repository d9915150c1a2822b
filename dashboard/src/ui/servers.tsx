import type { ReactNode } from 'react';
import { formatBytes, formatCount } from '../lib/format';
import { delivers, hangs, isAlive, UNKNOWN } from '../lib/health';
import { useService } from '../state/service';
import { formatSpan, parseMoment } from '../lib/time';
import type { ServerInfo, Stats } from '../lib/types';

export function Servers({ servers }: { servers: ServerInfo[] }): ReactNode {
  return (
    <section className="panel" aria-labelledby="servers">
      <h2 id="servers">Servers</h2>
      {servers.length === 0 ? (
        <p className="empty">No server has reported.</p>
      ) : (
        <table className="servers">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Role</th>
              <th scope="col" className="number">
                In flight
              </th>
              <th scope="col" className="number">
                Heartbeat
              </th>
              <th scope="col" className="number wide-only">
                Up for
              </th>
              <th scope="col" className="wide-only">
                Version
              </th>
            </tr>
          </thead>
          <tbody>
            {servers.map((server) => (
              <ServerRow key={server.name} server={server} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function ServerRow({ server }: { server: ServerInfo }): ReactNode {
  const { now } = useService();
  const alive = isAlive(server);
  const well = alive && !hangs(server);
  const started = parseMoment(server.started_at);
  const where = [server.host, server.pid && `pid ${server.pid}`].filter(Boolean).join(', ');
  return (
    <tr className={well ? '' : 'tone-bad'}>
      <th scope="row" title={where}>
        <span className={well ? 'dot tone-ok' : 'dot tone-bad'} aria-hidden="true" />
        <Name text={server.name} />
        {!alive && <span className="quiet"> silent</span>}
        {hangs(server) && <span className="server-failure">stuck: {server.failure}</span>}
      </th>
      <td>{server.role ?? '–'}</td>
      <td className="number figures">{delivers(server) ? formatCount(server.in_flight) : '–'}</td>
      <td className="number figures">
        {server.last_beat_age_ms == null ? '–' : `${formatSpan(server.last_beat_age_ms)} ago`}
      </td>
      <td className="number figures wide-only">{started === null ? '–' : formatSpan(now() - started)}</td>
      <td className="figures wide-only">{server.version ?? '–'}</td>
    </tr>
  );
}

/** A long name that may be broken behind its separators, and not inside of a word. */
function Name({ text }: { text: string }): ReactNode {
  return text.split(/(?<=[-/._:])/).flatMap((part, n) => (n === 0 ? [part] : [<wbr key={n} />, part]));
}

const NOT_TOLD = 'not known: Redis does not tell';

const PERSISTENCE: Record<string, string> = {
  aof: 'append-only file',
  rdb: 'snapshots only: a crash loses the last minutes',
  none: 'none: a restart loses everything',
  [UNKNOWN]: NOT_TOLD,
};

export function RedisFacts({ stats }: { stats: Stats }): ReactNode {
  const redis = stats.redis ?? {};
  const memory =
    redis.used_memory === null
      ? NOT_TOLD
      : redis.maxmemory
        ? `${formatBytes(redis.used_memory)} of ${formatBytes(redis.maxmemory)}`
        : formatBytes(redis.used_memory);
  const facts: [string, string][] = [
    ['Version', redis.version ?? '–'],
    ['Memory', memory],
    ['On disk', redis.persistence ? (PERSISTENCE[redis.persistence] ?? redis.persistence) : '–'],
    ['When full', redis.maxmemory_policy === UNKNOWN ? NOT_TOLD : (redis.maxmemory_policy ?? '–')],
    ['Finished, kept', `${formatCount(stats.finished)} (${formatBytes(stats.finished_bytes)})`],
  ];
  if (stats.archive) {
    const { messages, bytes, dropped } = stats.archive;
    const lost = dropped > 0 ? `, ${formatCount(dropped)} dropped` : '';
    facts.push(['To the history', `${formatCount(messages)} on their way (${formatBytes(bytes)})${lost}`]);
  }
  return (
    <section className="panel" aria-labelledby="redis">
      <h2 id="redis">Redis</h2>
      <dl className="facts figures">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
