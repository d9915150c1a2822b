import { formatBytes, plural } from './format';
import { BEHIND_MS, isAlive, namesOf, UNKNOWN, unservedLanes } from './health';
import { formatSpan } from './time';
import type { HeldBack, ServerInfo, Stats } from './types';

/** From so far apart on clocks disagree (ms), as the service itself warns. */
export const SKEW_MS = 1_000;
const MEMORY_WARNING = 0.9;

/** A lesser thing worth knowing; `href` leads to where something can be done about it. */
export interface Note {
  text: string;
  href?: string;
}

/** What else is worth knowing, but for what the headline (`code`) says already. */
export function notes(stats: Stats | null, code: string): Note[] {
  if (!stats) return [];
  const found: Note[] = [];
  if (stats.dead && code !== 'dead-growing') {
    const text = `${plural(stats.dead, 'dead letter waits', 'dead letters wait')} for a decision.`;
    found.push({ text, href: '#/messages?status=dead' });
  }
  for (const server of code === 'no-scheduler' ? [] : (stats.servers ?? [])) {
    if (!isAlive(server)) {
      found.push({
        text: `${server.name} was last heard of ${formatSpan(server.last_beat_age_ms ?? 0)} ago. Others take over what it held; start it again if nobody stopped it.`,
      });
    }
  }
  const more = [...clockNotes(stats.servers ?? []), ...logNotes(stats.servers ?? [])];
  const lanes = code === 'unserved' || code === 'no-scheduler' ? [] : unservedLanes(stats);
  if (lanes.length > 0) more.push(`No living server serves ${namesOf(lanes)}: what is due there waits.`);
  found.push(...flowNotes(stats.flow), ...scheduleNotes(stats.schedules), ...archiveNotes(stats.archive));
  if (stats.held_back?.messages && code !== 'held-back') more.push(heldBackNote(stats.held_back));
  return [...found, ...[...more, ...redisNotes(stats.redis, code)].map((text) => ({ text }))];
}

function flowNotes(flow: Stats['flow']): Note[] {
  if (!flow?.waiting || (flow.oldest_age_ms ?? 0) < BEHIND_MS) return [];
  const waiting = plural(flow.waiting, 'message waits', 'messages wait');
  const text = `${waiting} until the flow key allows it, the longest for ${formatSpan(flow.oldest_age_ms ?? 0)}.`;
  return [{ text, href: '#/flows' }];
}

/** Archiving is behind (ms): what finished so long ago is not in the database yet. */
const ARCHIVE_LATE_MS = 30_000;

function archiveNotes(archive: Stats['archive']): Note[] {
  if (!archive) return [];
  const late = (archive.oldest_age_ms ?? 0) >= ARCHIVE_LATE_MS;
  if (archive.away.length === 0 && !late) return [];
  const why = archive.away.length > 0 ? `does not answer ${archive.away.join(', ')}` : 'is behind';
  const waiting = `${plural(archive.messages, 'finished message waits', 'finished messages wait')} for it`;
  const room = `${formatBytes(archive.bytes)} of ${formatBytes(archive.max_bytes)}`;
  return [{ text: `The database of the history ${why}: ${waiting}, ${room}. Deliveries go on.` }];
}

function scheduleNotes(schedules: Stats['schedules']): Note[] {
  const found: Note[] = [];
  if (schedules?.overdue) {
    const age = formatSpan(schedules.oldest_overdue_age_ms ?? 0);
    found.push({
      text: `${plural(schedules.overdue, 'schedule is', 'schedules are')} overdue, the longest by ${age}: no server plans the next run.`,
      href: '#/schedules?status=active',
    });
  }
  if (schedules?.failing) {
    found.push({
      text: `The last run of ${plural(schedules.failing, 'schedule')} failed.`,
      href: '#/schedules',
    });
  }
  return found;
}

function heldBackNote(held: HeldBack): string {
  const names = (held.destinations ?? []).map((one) => one.destination).join(', ');
  return `${plural(held.messages ?? 0, 'message is', 'messages are')} put off until ${names || 'its destination'} takes more.`;
}

/** One per server: its processes share a clock. */
function clockNotes(servers: ServerInfo[]): string[] {
  const worst = new Map<string, number>();
  for (const { name, clock_skew_ms: skew } of servers) {
    const server = name.split('/')[0]!;
    if (skew != null && Math.abs(skew) > Math.max(SKEW_MS, Math.abs(worst.get(server) ?? 0))) worst.set(server, skew);
  }
  return [...worst].map(
    ([server, skew]) =>
      `The clock of ${server} is ${formatSpan(Math.abs(skew))} ${skew > 0 ? 'ahead of' : 'behind'} Redis's: times in its logs are wrong by as much. Nothing comes early or late. Set one of the clocks (NTP).`,
  );
}

function logNotes(servers: ServerInfo[]): string[] {
  return servers
    .filter((server) => server.log_lines_lost)
    .map(
      (server) =>
        `${server.name} could not write ${plural(server.log_lines_lost ?? 0, 'log line')}: its disk may be full. Deliveries go on.`,
    );
}

function redisNotes(redis: Stats['redis'], code: string): string[] {
  const found: string[] = [];
  if (redis?.persistence === 'none') {
    found.push('Redis keeps nothing on disk: a restart of Redis loses what is scheduled. Set appendonly yes.');
  }
  if (redis?.maxmemory_policy && !['noeviction', UNKNOWN].includes(redis.maxmemory_policy)) {
    found.push(`Redis may evict messages (maxmemory-policy ${redis.maxmemory_policy}). Set it to noeviction.`);
  }
  if (code !== 'redis-full' && redis?.maxmemory && (redis.used_memory ?? 0) > redis.maxmemory * MEMORY_WARNING) {
    found.push(
      `Redis uses ${formatBytes(redis.used_memory)} of ${formatBytes(redis.maxmemory)}: give it more, or shorten retention.`,
    );
  }
  return found;
}
