/** The service's /v1 contract, as far as this page reads it.  What may be missing is optional: render what is there. */

export type Status = 'scheduled' | 'processing' | 'delivered' | 'dead' | 'cancelled';
export type Priority = 'high' | 'normal' | 'low';
export type Channel = 'echo' | 'webhook' | 'job';

export const STATUSES: readonly Status[] = ['scheduled', 'processing', 'delivered', 'dead', 'cancelled'];
export const PRIORITIES: readonly Priority[] = ['high', 'normal', 'low'];
export const CHANNELS: readonly Channel[] = ['echo', 'webhook', 'job'];

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface Attempt {
  attempt: number;
  /** ISO 8601 or milliseconds since the epoch. */
  started_at?: string | number | null;
  duration_ms?: number | null;
  /** How long after its moment the attempt began. */
  lateness_ms?: number | null;
  /** The part of it for which its flow key kept it back. */
  flow_wait_ms?: number | null;
  outcome?: string;
  status_code?: number | null;
  error?: string | null;
  response?: string | null;
  traceback?: string | null;
  [evidence: string]: unknown;
}

export interface Webhook {
  url?: string;
  method?: string;
  headers?: Record<string, string>;
  /** Seconds. */
  timeout?: number;
}

export interface RetryPolicy {
  max_attempts?: number;
  /** Seconds. */
  base?: number;
  factor?: number;
  /** Seconds. */
  cap?: number;
  jitter?: boolean;
}

export interface Message {
  id: string;
  status: Status;
  channel: string;
  message: Json;
  /** The moment that was asked for; retries and back-pressure move due_at away from it. */
  scheduled_for?: string | null;
  due_at: string;
  due_at_ms: number;
  priority: Priority;
  attempt: number;
  max_attempts?: number | null;
  created_at: string | number;
  updated_at: string | number;
  started_at?: string | number | null;
  finished_at?: string | number | null;
  last_error?: string | null;
  type?: string | null;
  webhook?: Webhook | null;
  job?: { type?: string } | null;
  retry?: RetryPolicy | null;
  result?: Json;
  /** The message of the history that this one repeats. */
  redriven_from?: string | null;
  /** False when the history kept no payload. */
  message_kept?: boolean;
  /** Its flow key, and for how long that kept back the last attempt that began. */
  flow?: { key: string; waited_ms: number } | null;
  /** The schedule that made it, and how it came about: `plan`, `catch_up`, `backfill`, `run`. */
  schedule_id?: string | null;
  origin?: string | null;
  attempts?: Attempt[] | null;
}

export interface MessagePage {
  messages: Message[];
  next_cursor: string | null;
}

export interface HistoryPoint {
  /** Milliseconds since the epoch: the start of ten seconds. */
  at: number;
  delivered?: number;
  failed?: number;
  accepted?: number;
  p50?: number | null;
  p99?: number | null;
}

export interface ServerInfo {
  name: string;
  role?: string;
  in_flight?: number | null;
  last_beat_age_ms?: number | null;
  /** Why it delivers nothing although it reports. */
  failure?: string | null;
  /** How far its clock is ahead of Redis's; below 0 behind it. */
  clock_skew_ms?: number | null;
  /** Lines that it could not write to its log files. */
  log_lines_lost?: number | null;
  version?: string | null;
  pid?: number | null;
  host?: string | null;
  started_at?: string | number | null;
}

/** Messages that are due and were put off, because their destination had no room for them. */
export interface HeldBack {
  messages?: number;
  oldest_age_ms?: number | null;
  destinations?: {
    /** host:port */
    destination: string;
    /** Times within the last minute. */
    put_off: number;
    oldest_age_ms?: number | null;
  }[];
}

/** What waits for one channel, or for one job type. */
export interface LaneInfo {
  /** `echo`, `webhook`, or `job:` and the name of the handler. */
  lane: string;
  scheduled: number;
  due: number;
  oldest_due_age_ms?: number | null;
  /** Whether a living server delivers it. */
  served: boolean;
}

export interface Stats {
  redis_time?: string | number | null;
  paused?: boolean;
  scheduled?: { high?: number; normal?: number; low?: number; total?: number };
  due?: number;
  processing?: number;
  dead?: number;
  finished?: number;
  finished_bytes?: number;
  retrying: number;
  oldest_due_age_ms?: number | null;
  held_back?: HeldBack;
  /** Those in which something waits, 100 at most. */
  lanes?: LaneInfo[];
  next_due_at?: string | null;
  throughput?: { delivered_per_s?: number; failed_per_s?: number; accepted_per_s?: number };
  lateness_ms?: { p50?: number | null; p99?: number | null };
  history?: HistoryPoint[];
  servers?: ServerInfo[];
  redis?: {
    version?: string;
    /** null: Redis does not tell. */
    used_memory?: number | null;
    maxmemory?: number | null;
    full?: boolean;
    maxmemory_policy?: string;
    persistence?: string;
  };
  /** Flow keys in use, and the messages that are due and have one. */
  flow?: { keys: number; waiting: number; oldest_age_ms: number | null };
  /** Finished messages on their way into the history; null where there is none. */
  archive?: {
    messages: number;
    bytes: number;
    max_bytes: number;
    oldest_age_ms: number | null;
    /** Those that the history will never have. */
    dropped: number;
    /** Processes that its database did not answer. */
    away: string[];
  } | null;
  schedules?: {
    active: number;
    paused: number;
    ended: number;
    overdue: number;
    oldest_overdue_age_ms: number | null;
    /** Those whose last runs ended as dead letters. */
    failing: number;
  };
  events_url?: string | null;
}

export interface ServiceEvent {
  event_id: string;
  id: string;
  event: string;
  channel?: string | null;
  attempt?: number | null;
  /** Milliseconds since the epoch. */
  at: number;
}

export interface Preview {
  due_at: string;
  due_at_ms: number;
  local?: string | null;
  timezone?: string | null;
}

export interface FieldProblem {
  field: string;
  message: string;
}
