/** What a client throws for a call. */
export class SchedulerError extends Error {
  override name = 'SchedulerError';
}

/** The service gave no answer. A request that changes something may have been carried out. */
export class Unreachable extends SchedulerError {
  override name = 'Unreachable';
}

/** What is wrong with one field. */
export interface Fault {
  /** Dotted path with the indexes of lists, `messages.3.time`; empty for the body as a whole. */
  field: string;
  reason: string;
}

/** The service refused the call; `status` says what kind of refusal it is. */
export class ApiError extends SchedulerError {
  override name = 'ApiError';
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    /** Every field at fault; empty when it is no field's. */
    readonly faults: readonly Fault[],
    /** Seconds after which the service asks to be called again. */
    readonly retryAfter: number | undefined,
    /** Requests that were sent. After more than one an earlier one may have been carried out: a 409 may then mean that
     * the call has succeeded. */
    readonly tries: number,
  ) {
    super(`${status} ${title}: ${detail}`);
  }

  /** The first field at fault. */
  get field(): string | undefined {
    return this.faults[0]?.field;
  }

  /** What is wrong with this field; without one, what is wrong. */
  get reason(): string {
    return this.faults[0]?.reason ?? this.detail;
  }
}

/** A request to a webhook receiver is not one of the service's, or it is too old. */
export class SignatureError extends Error {
  override name = 'SignatureError';
}

/** The error for an answer that is no success; a proxy may have given it. */
export function errorOf(response: Response, text: string, retryAfter: number | undefined, tries: number): ApiError {
  const body = objectOf(text);
  // A proxy in between answers what it likes; /health answers `message`.
  const detail = String(body['detail'] ?? body['message'] ?? text.slice(0, 200));
  const title = String(body['title'] ?? response.statusText);
  return new ApiError(response.status, title, detail, faultsOf(body['errors']), retryAfter, tries);
}

function objectOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function faultsOf(listed: unknown): Fault[] {
  if (!Array.isArray(listed)) return [];
  return listed
    .filter((fault): fault is Record<string, unknown> => typeof fault === 'object' && fault !== null)
    .map((fault) => ({ field: String(fault['field'] ?? ''), reason: String(fault['message'] ?? '') }));
}
