import type { FieldProblem } from './types';

/** Longer than the service's own time limit towards Redis, so that its 503 arrives before we give up. */
const TIMEOUT_MS = 8_000;

/** An answer that is not a success; `status` is 0 when there was no answer at all. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly fields: FieldProblem[] = [],
    readonly retryAfterSeconds: number | null = null,
  ) {
    super(detail || title);
  }

  get unreachable(): boolean {
    return this.status === 0;
  }

  get unauthorized(): boolean {
    return this.status === 401;
  }

  /** 503: the service answers, Redis does not. */
  get redisAway(): boolean {
    return this.status === 503;
  }
}

export type Query = Record<string, string | number | undefined>;

export interface Call {
  method?: string;
  query?: Query;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

/** Calls the service as this page's viewer. */
export class Http {
  constructor(
    /** Where the service is: the page's own address, so that a path in front of it (a proxy's) is in every call. */
    private readonly base: string,
    private readonly token: () => string | null,
    private readonly fetcher: typeof fetch = (input, init) => fetch(input, init),
  ) {}

  /** The answer's body; `path` is relative to the page: `v1/stats`. */
  async call<T>(path: string, call: Call = {}): Promise<T> {
    const response = await this.send(path, call);
    const body = await readJson(response);
    if (!response.ok) throw problem(response, body);
    return body as T;
  }

  private async send(
    path: string,
    { method = 'GET', query = {}, body, headers = {}, signal }: Call,
  ): Promise<Response> {
    const token = this.token();
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    try {
      return await this.fetcher(new URL(path + queryText(query), this.base).href, {
        method,
        headers: {
          Accept: 'application/json',
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
          ...(token ? { Authorization: `Bearer ${headerText(token)}` } : {}),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        cache: 'no-store',
        credentials: 'omit',
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ApiError(0, 'No answer', 'The service does not answer.');
    }
  }
}

/** Headers are bytes, one per character: text beyond ASCII goes out as UTF-8, which is how the service reads it. */
function headerText(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

function queryText(query: Query): string {
  const pairs = Object.entries(query).filter((pair): pair is [string, string | number] => {
    return pair[1] !== undefined && pair[1] !== '';
  });
  const text = new URLSearchParams(pairs.map(([key, value]) => [key, String(value)])).toString();
  return text ? `?${text}` : '';
}

async function readJson(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return null;
  }
}

function problem(response: Response, body: unknown): ApiError {
  const fields = body !== null && typeof body === 'object' ? (body as Record<string, unknown>) : {};
  const text = (key: string): string => (typeof fields[key] === 'string' ? fields[key] : '');
  const retryAfter = Number(response.headers.get('Retry-After'));
  return new ApiError(
    response.status,
    text('title') || `HTTP ${response.status}`,
    text('detail') || text('message') || text('error') || text('title') || `HTTP ${response.status}`,
    Array.isArray(fields['errors']) ? (fields['errors'] as FieldProblem[]) : [],
    Number.isFinite(retryAfter) && retryAfter > 0 ? retryAfter : null,
  );
}

/** What is wrong with a form that was sent: field by field where the service says so. */
export function problemsOf(error: unknown): FieldProblem[] {
  if (error instanceof ApiError && error.fields.length > 0) return error.fields;
  return [{ field: '', message: error instanceof Error ? error.message : String(error) }];
}
