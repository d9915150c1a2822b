import type { components, operations } from './openapi.js';

/** One operation of the service's OpenAPI document. */
export interface Route {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With parameters in braces. */
  path: string;
  /** Takes an `Idempotency-Key`, which makes it safe to repeat. */
  keyed?: boolean;
  /** A repeat does something more: sent again only when the first request cannot have arrived. */
  once?: boolean;
}

export type OperationName = keyof operations;

/** Every operation by its operationId; the compiler misses none. */
export const ROUTES: Readonly<Record<OperationName, Route>> = {
  messages_create: { method: 'POST', path: '/v1/messages', keyed: true },
  messages_create_batch: { method: 'POST', path: '/v1/messages/batch', keyed: true },
  messages_read: { method: 'GET', path: '/v1/messages/{id}' },
  messages_list_messages: { method: 'GET', path: '/v1/messages' },
  messages_change: { method: 'PATCH', path: '/v1/messages/{id}' },
  messages_cancel: { method: 'DELETE', path: '/v1/messages/{id}' },
  messages_run: { method: 'POST', path: '/v1/messages/{id}/run' },
  messages_redrive: { method: 'POST', path: '/v1/messages/{id}/redrive' },
  dead_letters_redrive: { method: 'POST', path: '/v1/dead-letters/redrive', once: true },
  history_list_history: { method: 'GET', path: '/v1/history' },
  history_read: { method: 'GET', path: '/v1/history/{id}' },
  history_redrive: { method: 'POST', path: '/v1/history/{id}/redrive', keyed: true },
  history_summary: { method: 'GET', path: '/v1/history/summary' },
  schedules_create: { method: 'POST', path: '/v1/schedules', keyed: true },
  schedules_put: { method: 'PUT', path: '/v1/schedules/{schedule}' },
  schedules_read: { method: 'GET', path: '/v1/schedules/{schedule}' },
  schedules_list_schedules: { method: 'GET', path: '/v1/schedules' },
  schedules_change: { method: 'PATCH', path: '/v1/schedules/{schedule}' },
  schedules_delete: { method: 'DELETE', path: '/v1/schedules/{schedule}' },
  schedules_pause: { method: 'POST', path: '/v1/schedules/{schedule}/pause' },
  schedules_resume: { method: 'POST', path: '/v1/schedules/{schedule}/resume' },
  schedules_run: { method: 'POST', path: '/v1/schedules/{schedule}/run', keyed: true },
  schedules_backfill: { method: 'POST', path: '/v1/schedules/{schedule}/backfill' },
  schedules_preview: { method: 'GET', path: '/v1/schedules/preview' },
  flows_list_flows: { method: 'GET', path: '/v1/flows' },
  flows_read: { method: 'GET', path: '/v1/flows/{flow_key}' },
  flows_pin: { method: 'PUT', path: '/v1/flows/{flow_key}' },
  flows_unpin: { method: 'DELETE', path: '/v1/flows/{flow_key}' },
  flows_pause: { method: 'POST', path: '/v1/flows/{flow_key}/pause' },
  flows_resume: { method: 'POST', path: '/v1/flows/{flow_key}/resume' },
  flows_reset: { method: 'POST', path: '/v1/flows/{flow_key}/reset' },
  destinations_list_destinations: { method: 'GET', path: '/v1/destinations' },
  destinations_read: { method: 'GET', path: '/v1/destinations/{destination}' },
  destinations_open_by_hand: { method: 'POST', path: '/v1/destinations/{destination}/open' },
  destinations_close_by_hand: { method: 'POST', path: '/v1/destinations/{destination}/close' },
  control_pause: { method: 'POST', path: '/v1/pause' },
  control_resume: { method: 'POST', path: '/v1/resume' },
  control_preview: { method: 'POST', path: '/v1/preview' },
  test_clock_move: { method: 'POST', path: '/v1/test/clock', once: true },
  control_stats: { method: 'GET', path: '/v1/stats' },
  health_health: { method: 'GET', path: '/health' },
};

type Json<T> = T extends { content: { 'application/json': infer Body } } ? Body : undefined;

type Moments = 'time' | 'since' | 'until' | 'from' | 'to' | 'start' | 'end';

/** `T`, in which a moment may be a Date too. */
export type WithDates<T> = {
  [Name in keyof T]: Name extends Moments ? T[Name] | Date : T[Name];
};

/** What an operation answers. */
export type Answer<Name extends OperationName> = Json<
  operations[Name]['responses'][keyof operations[Name]['responses']]
>;
/** What the body of an operation may hold. */
export type Body<Name extends OperationName> = WithDates<Json<NonNullable<operations[Name]['requestBody']>>>;
/** The parameters of an operation's query. */
export type Query<Name extends OperationName> = WithDates<NonNullable<operations[Name]['parameters']['query']>>;

export type Message = components['schemas']['MessageOut'];
export type MessageDetail = components['schemas']['MessageDetail'];
export type MessageIn = WithDates<components['schemas']['MessageIn']>;
export type MessageOptions = Omit<MessageIn, 'message'>;
export type Flow = components['schemas']['FlowOut'];
export type Schedule = components['schemas']['ScheduleOut'];
export type ScheduleDetail = components['schemas']['ScheduleDetail'];
export type ScheduleOptions = Omit<WithDates<components['schemas']['ScheduleIn']>, 'message'>;
export type SchedulePutOptions = Omit<ScheduleOptions, 'id'>;
