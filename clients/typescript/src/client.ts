import { errorOf } from './errors.js';
import {
  type Answered,
  bodyOf,
  each,
  environment,
  isRedirect,
  jsonOf,
  mayPass,
  randomKey,
  redirected,
  unreachable,
} from './exchange.js';
import { type Retries, retryAfter, sleep, waitBefore } from './retries.js';
import {
  type Answer,
  type Body,
  type Flow,
  type Message,
  type MessageIn,
  type MessageOptions,
  type OperationName,
  type Query,
  type Route,
  ROUTES,
  type Schedule,
  type ScheduleOptions,
  type SchedulePutOptions,
} from './routes.js';

export interface ClientOptions {
  /** Default: the environment's MESSAGE_SCHEDULER_URL, else http://127.0.0.1:3000. */
  url?: string;
  /** Default: the environment's MESSAGE_SCHEDULER_TOKEN, else none. */
  token?: string;
  retries?: Retries;
  /** Milliseconds for one request. Default 30,000. */
  timeout?: number;
  /** Instead of the global `fetch`. */
  fetch?: typeof fetch;
}

/** Of one call. */
export interface CallOptions {
  /** Gives the call up. */
  signal?: AbortSignal;
}

export interface SendOptions extends CallOptions {
  /** For a repeat by another process than this one; repeats by the client itself have a key anyway. */
  idempotencyKey?: string;
}

interface Parts extends SendOptions {
  id?: string;
  query?: object;
  body?: unknown;
  /** Messages bring their own ids: these make a repeat safe, and exclude a key. */
  ownIds?: boolean;
}

/** A client of the service, for Node and browsers. */
export class Client {
  readonly #url: string;
  readonly #token: string | undefined;
  readonly #retries: Retries;
  readonly #timeout: number;
  readonly #fetch: typeof fetch;

  constructor(options: ClientOptions = {}) {
    this.#url = (options.url ?? environment('MESSAGE_SCHEDULER_URL') ?? 'http://127.0.0.1:3000').replace(/\/+$/, '');
    this.#token = options.token ?? environment('MESSAGE_SCHEDULER_TOKEN');
    this.#retries = options.retries ?? {};
    this.#timeout = options.timeout ?? 30_000;
    const given = options.fetch;
    // Browsers refuse a fetch that is called as the method of another object.
    this.#fetch = (...request) => (given ?? globalThis.fetch)(...request);
  }

  /** Schedule a message: at a `time`, after a `delay`, or now. */
  send(message: unknown, options: MessageOptions = {}, call: SendOptions = {}) {
    const ownIds = options.id != null;
    return this.#call('messages_create', { ...call, body: { message, ...options }, ownIds });
  }

  /** Schedule up to 1,000 messages, all or none. */
  sendMany(messages: readonly MessageIn[], call: SendOptions = {}) {
    const ownIds = messages.some((message) => message.id != null);
    return this.#call('messages_create_batch', { ...call, body: { messages }, ownIds });
  }

  /** A message with the evidence of its attempts. */
  get(id: string, call: CallOptions = {}) {
    return this.#call('messages_read', { ...call, id });
  }

  /** All messages that match, page by page, each fetched when it is needed; `limit` is a page's size. */
  messages(query: Query<'messages_list_messages'> = {}, call: CallOptions = {}): AsyncGenerator<Message, void> {
    return each(
      (cursor) => this.messagesPage({ ...query, ...cursor }, call),
      (page) => page.messages,
    );
  }

  /** One page of messages. */
  messagesPage(query: Query<'messages_list_messages'> = {}, call: CallOptions = {}) {
    return this.#call('messages_list_messages', { ...call, query });
  }

  /** Change a scheduled message; what is left out stays as it is. */
  change(id: string, changes: Body<'messages_change'>, call: CallOptions = {}) {
    return this.#call('messages_change', { ...call, id, body: changes });
  }

  /** Cancel a scheduled message. */
  cancel(id: string, call: CallOptions = {}) {
    return this.#call('messages_cancel', { ...call, id });
  }

  /** Make a scheduled message due now. */
  run(id: string, call: CallOptions = {}) {
    return this.#call('messages_run', { ...call, id });
  }

  /** Schedule a dead letter again, its attempts counted from zero; a new message when only the history has it. */
  redrive(id: string, call: CallOptions = {}) {
    return this.#call('messages_redrive', { ...call, id });
  }

  /** Schedule many dead letters again, oldest first; with `dry_run` only count them. */
  redriveMany(which: Body<'dead_letters_redrive'> = {}, call: CallOptions = {}) {
    return this.#call('dead_letters_redrive', { ...call, body: which });
  }

  /** Finished messages, newest first, page by page, each fetched when it is needed. */
  history(query: Query<'history_list_history'> = {}, call: CallOptions = {}): AsyncGenerator<Message, void> {
    return each(
      (cursor) => this.historyPage({ ...query, ...cursor }, call),
      (page) => page.messages,
    );
  }

  /** One page of finished messages. */
  historyPage(query: Query<'history_list_history'> = {}, call: CallOptions = {}) {
    return this.#call('history_list_history', { ...call, query });
  }

  /** The last finish of a message, also of one that the service itself has no more. */
  getHistory(id: string, call: CallOptions = {}) {
    return this.#call('history_read', { ...call, id });
  }

  /** Schedule a finished message again, as a new one that is due now. */
  redriveHistory(id: string, call: SendOptions = {}) {
    return this.#call('history_redrive', { ...call, id });
  }

  /** What ended, and how late it was, by hour or day and channel. */
  historySummary(query: Query<'history_summary'> = {}, call: CallOptions = {}) {
    return this.#call('history_summary', { ...call, query });
  }

  /** Create a schedule, `cron` or `every`: it makes a message for each of its moments. */
  createSchedule(message: unknown, options: ScheduleOptions, call: SendOptions = {}) {
    return this.#call('schedules_create', { ...call, body: { message, ...options }, ownIds: options.id != null });
  }

  /** Create a schedule of this id or replace it; what changes nothing leaves its next run as it is. */
  putSchedule(id: string, message: unknown, options: SchedulePutOptions, call: CallOptions = {}) {
    return this.#call('schedules_put', { ...call, id, body: { message, ...options } });
  }

  /** A schedule with its next and last runs. */
  getSchedule(id: string, call: CallOptions = {}) {
    return this.#call('schedules_read', { ...call, id });
  }

  /** All schedules that match, page by page, each fetched when it is needed. */
  schedules(query: Query<'schedules_list_schedules'> = {}, call: CallOptions = {}): AsyncGenerator<Schedule, void> {
    return each(
      (cursor) => this.schedulesPage({ ...query, ...cursor }, call),
      (page) => page.schedules,
    );
  }

  /** One page of schedules. */
  schedulesPage(query: Query<'schedules_list_schedules'> = {}, call: CallOptions = {}) {
    return this.#call('schedules_list_schedules', { ...call, query });
  }

  /** Change a schedule; what is left out stays as it is. */
  changeSchedule(id: string, changes: Body<'schedules_change'>, call: CallOptions = {}) {
    return this.#call('schedules_change', { ...call, id, body: changes });
  }

  /** Delete a schedule and its next message. */
  deleteSchedule(id: string, call: CallOptions = {}) {
    return this.#call('schedules_delete', { ...call, id });
  }

  /** Make no more messages until `resumeSchedule`. */
  pauseSchedule(id: string, note?: string, call: CallOptions = {}) {
    return this.#call('schedules_pause', { ...call, id, body: { note } });
  }

  /** Go on with the first moment after now. */
  resumeSchedule(id: string, note?: string, call: CallOptions = {}) {
    return this.#call('schedules_resume', { ...call, id, body: { note } });
  }

  /** Make a message that is due now; the plan stays as it is. */
  runSchedule(id: string, call: SendOptions = {}) {
    return this.#call('schedules_run', { ...call, id });
  }

  /** Make the messages that a span of the past has not got, `from` and `to`; no moment is made twice. */
  backfillSchedule(id: string, span: Body<'schedules_backfill'>, call: CallOptions = {}) {
    return this.#call('schedules_backfill', { ...call, id, body: span });
  }

  /** The next runs of a plan, `cron` or `every`; nothing is stored. */
  previewSchedule(plan: Query<'schedules_preview'>, call: CallOptions = {}) {
    return this.#call('schedules_preview', { ...call, query: plan });
  }

  /** All flow keys, page by page, each fetched when it is needed. */
  flows(query: Query<'flows_list_flows'> = {}, call: CallOptions = {}): AsyncGenerator<Flow, void> {
    return each(
      (cursor) => this.flowsPage({ ...query, ...cursor }, call),
      (page) => page.flows,
    );
  }

  /** One page of flow keys. */
  flowsPage(query: Query<'flows_list_flows'> = {}, call: CallOptions = {}) {
    return this.#call('flows_list_flows', { ...call, query });
  }

  /** What a flow key allows, and what waits at it. */
  getFlow(key: string, call: CallOptions = {}) {
    return this.#call('flows_read', { ...call, id: key });
  }

  /** Fix limits of a flow key, whatever messages say. */
  pinFlow(key: string, limits: Body<'flows_pin'>, call: CallOptions = {}) {
    return this.#call('flows_pin', { ...call, id: key, body: limits });
  }

  /** Let messages and settings decide again. */
  unpinFlow(key: string, call: CallOptions = {}) {
    return this.#call('flows_unpin', { ...call, id: key });
  }

  /** Begin no message of a flow key until `resumeFlow`, or for this long. */
  pauseFlow(key: string, delay?: string | number, call: CallOptions = {}) {
    return this.#call('flows_pause', { ...call, id: key, body: { delay } });
  }

  /** Begin messages of a flow key again. */
  resumeFlow(key: string, call: CallOptions = {}) {
    return this.#call('flows_resume', { ...call, id: key });
  }

  /** Begin a new window, and count again what is in flight. */
  resetFlow(key: string, call: CallOptions = {}) {
    return this.#call('flows_reset', { ...call, id: key });
  }

  /** Destinations of webhooks that have failed lately, open ones first. */
  destinations(query: Query<'destinations_list_destinations'> = {}, call: CallOptions = {}) {
    return this.#call('destinations_list_destinations', { ...call, query });
  }

  /** What is known of a destination (`https:api.example.com:443`). */
  getDestination(destination: string, call: CallOptions = {}) {
    return this.#call('destinations_read', { ...call, id: destination });
  }

  /** Leave a destination alone until `closeDestination`. */
  openDestination(destination: string, note?: string, call: CallOptions = {}) {
    return this.#call('destinations_open_by_hand', { ...call, id: destination, body: { note } });
  }

  /** Make attempts at a destination again. */
  closeDestination(destination: string, note?: string, call: CallOptions = {}) {
    return this.#call('destinations_close_by_hand', { ...call, id: destination, body: { note } });
  }

  /** Deliver nothing until `resume`; messages are still accepted. */
  pause(call: CallOptions = {}) {
    return this.#call('control_pause', call);
  }

  /** Deliver again. */
  resume(call: CallOptions = {}) {
    return this.#call('control_resume', call);
  }

  /** The moment that a `time` or `delay` means; nothing is stored. */
  preview(when: Body<'control_preview'>, call: CallOptions = {}) {
    return this.#call('control_preview', { ...call, body: when });
  }

  /** Move the clock of a service with `Test.Clock` forward, to a `time` or by a `delay`. */
  moveClock(to: Body<'test_clock_move'> = {}, call: CallOptions = {}) {
    return this.#call('test_clock_move', { ...call, body: to });
  }

  /** Figures of the whole service. */
  stats(call: CallOptions = {}) {
    return this.#call('control_stats', call);
  }

  /** Whether the service delivers; throws an `ApiError` of 503 with the reason when it does not. */
  health(call: CallOptions = {}) {
    return this.#call('health_health', call);
  }

  async #call<Name extends OperationName>(name: Name, parts: Parts): Promise<Answer<Name>> {
    const route = ROUTES[name];
    const [url, request] = this.#request(route, parts);
    let waited = 0;
    for (let tries = 1; ; tries++) {
      const outcome = await this.#sent(url, request, parts.signal);
      const answered = !(outcome instanceof Error);
      if (answered && outcome.response.ok) return jsonOf(outcome.text, url) as Answer<Name>;
      if (answered && isRedirect(outcome.response)) throw redirected(url, outcome.response);
      const asked = answered ? retryAfter(outcome.response.headers.get('retry-after')) : undefined;
      const seconds = mayPass(route, outcome) ? waitBefore(tries, this.#retries, asked, waited) : undefined;
      if (seconds === undefined) {
        throw answered ? errorOf(outcome.response, outcome.text, asked, tries) : unreachable(route, url, outcome);
      }
      await sleep(seconds, parts.signal);
      waited += seconds;
    }
  }

  #request(route: Route, parts: Parts): [string, RequestInit] {
    const url = new URL(this.#url + route.path.replace(/{\w+}/, encodeURIComponent(parts.id ?? '')));
    for (const [name, value] of Object.entries(parts.query ?? {})) {
      if (value != null) url.searchParams.set(name, value instanceof Date ? value.toISOString() : String(value));
    }
    const headers: Record<string, string> = { Accept: 'application/json' };
    if (this.#token) headers['Authorization'] = `Bearer ${this.#token}`;
    // Of the client itself: the service stores a message once, however often the request has to be sent.
    const key = parts.idempotencyKey ?? (route.keyed && !parts.ownIds ? randomKey() : undefined);
    if (key !== undefined) headers['Idempotency-Key'] = key;
    if (parts.body === undefined) return [url.href, { method: route.method, headers }];
    headers['Content-Type'] = 'application/json';
    return [url.href, { method: route.method, headers, body: bodyOf(parts.body) }];
  }

  /** The whole answer, or the error that there was instead of one; throws when the caller gives up. */
  async #sent(url: string, request: RequestInit, signal: AbortSignal | undefined): Promise<Answered | Error> {
    const timeout = AbortSignal.timeout(this.#timeout);
    try {
      const response = await this.#fetch(url, {
        ...request,
        // Followed, a POST would arrive as a GET, and the list of messages would look like an answer.
        redirect: 'manual',
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
      return { response, text: await response.text() };
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      return error instanceof Error ? error : new Error(String(error));
    }
  }
}
