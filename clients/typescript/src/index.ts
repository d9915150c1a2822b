export { type CallOptions, Client, type ClientOptions, type SendOptions } from './client.js';
export { ApiError, type Fault, SchedulerError, SignatureError, Unreachable } from './errors.js';
export type { components, operations, paths } from './openapi.js';
export type { Retries } from './retries.js';
export type {
  Flow,
  Message,
  MessageDetail,
  MessageIn,
  MessageOptions,
  Schedule,
  ScheduleDetail,
  ScheduleOptions,
} from './routes.js';
export { type Delivery, type HeadersLike, verify, type VerifyOptions } from './webhooks.js';
