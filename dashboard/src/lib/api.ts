import { DestinationsApi } from './destinations';
import { FlowsApi } from './flows';
import { HistoryApi } from './history';
import type { Http } from './http';
import type { Page } from './paging';
import { SchedulesApi } from './schedules';
import type { Json, Message, MessagePage, Preview, Stats } from './types';

export interface MessageQuery {
  status?: string;
  channel?: string;
  type?: string;
  priority?: string;
  schedule?: string;
  since?: string;
  until?: string;
  limit?: number;
  cursor?: string;
}

export interface RedriveRequest {
  limit?: number;
  channel?: string;
  dry_run?: boolean;
}

export class Api {
  readonly schedules: SchedulesApi;
  readonly history: HistoryApi;
  readonly flows: FlowsApi;
  readonly destinations: DestinationsApi;

  constructor(private readonly http: Http) {
    this.schedules = new SchedulesApi(http);
    this.history = new HistoryApi(http);
    this.flows = new FlowsApi(http);
    this.destinations = new DestinationsApi(http);
  }

  stats(signal?: AbortSignal): Promise<Stats> {
    return this.http.call('v1/stats', { signal });
  }

  async list(query: MessageQuery, signal?: AbortSignal): Promise<Page<Message>> {
    const answer = await this.http.call<MessagePage>('v1/messages', { query: { ...query }, signal });
    return { items: answer.messages, next: answer.next_cursor };
  }

  message(id: string, signal?: AbortSignal): Promise<Message> {
    return this.http.call(one(id), { signal });
  }

  schedule(body: Json, idempotencyKey: string | null): Promise<Message> {
    const headers = idempotencyKey ? { 'Idempotency-Key': idempotencyKey } : {};
    return this.http.call('v1/messages', { method: 'POST', body, headers });
  }

  update(id: string, changes: Json): Promise<Message> {
    return this.http.call(one(id), { method: 'PATCH', body: changes });
  }

  cancel(id: string): Promise<Message> {
    return this.http.call(one(id), { method: 'DELETE' });
  }

  run(id: string): Promise<Message> {
    return this.http.call(`${one(id)}/run`, { method: 'POST' });
  }

  /** One that only the history has is repeated by a new message. */
  redrive(id: string): Promise<Message> {
    return this.http.call(`${one(id)}/redrive`, { method: 'POST' });
  }

  async redriveMany(request: RedriveRequest): Promise<number> {
    const answer = await this.http.call<{ redriven?: number; would_redrive?: number }>('v1/dead-letters/redrive', {
      method: 'POST',
      body: request,
    });
    return answer.would_redrive ?? answer.redriven ?? 0;
  }

  async setPaused(paused: boolean): Promise<void> {
    await this.http.call(paused ? 'v1/pause' : 'v1/resume', { method: 'POST' });
  }

  preview(when: Json, signal?: AbortSignal): Promise<Preview> {
    return this.http.call('v1/preview', { method: 'POST', body: when, signal });
  }
}

function one(id: string): string {
  return `v1/messages/${encodeURIComponent(id)}`;
}
