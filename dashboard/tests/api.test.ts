import { describe, expect, it } from 'vitest';
import { Api } from '../src/lib/api';
import { ApiError, Http } from '../src/lib/http';

function answering(response: Response | Error, token = 'secret') {
  const calls: { url: string; init: RequestInit }[] = [];
  const fetcher = (async (url: string, init: RequestInit) => {
    calls.push({ url, init });
    if (response instanceof Error) throw response;
    return response;
  }) as typeof fetch;
  return { api: new Api(new Http('https://h/under/?a#/messages', () => token, fetcher)), calls };
}

function json(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers });
}

async function failure(work: Promise<unknown>): Promise<ApiError> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ApiError);
  return error as ApiError;
}

describe('a call', () => {
  it('goes to where the page is, carries the token and leaves out empty filters', async () => {
    const { api, calls } = answering(json(200, { messages: [], next_cursor: null }));
    await api.list({ status: 'dead', channel: '', limit: 50 });
    expect(calls[0]?.url).toBe('https://h/under/v1/messages?status=dead&limit=50');
    expect(calls[0]?.init.headers).toMatchObject({ Authorization: 'Bearer secret' });
  });

  it('carries a token beyond ASCII as UTF-8', async () => {
    const { api, calls } = answering(json(200, {}), 'ü€');
    await api.stats();
    const headers = new Headers(calls[0]?.init.headers);
    expect(Buffer.from(headers.get('Authorization') ?? '', 'latin1').toString()).toBe('Bearer ü€');
  });

  it('escapes an id', async () => {
    const { api, calls } = answering(json(200, {}));
    await api.run('a/../b?');
    expect(calls[0]?.url).toBe('https://h/under/v1/messages/a%2F..%2Fb%3F/run');
  });

  it('sends the Idempotency-Key with a new message', async () => {
    const { api, calls } = answering(json(201, { id: 'x' }));
    await api.schedule({ message: 'm' }, 'key');
    expect(calls[0]?.init.headers).toMatchObject({ 'Idempotency-Key': 'key', 'Content-Type': 'application/json' });
  });
});

describe('redriving many', () => {
  it('counts in a dry run, and says how many it was', async () => {
    const request = { limit: 10, dry_run: true };
    expect(await answering(json(200, { would_redrive: 7 })).api.redriveMany(request)).toBe(7);
    expect(await answering(json(200, { redriven: 6 })).api.redriveMany({ ...request, dry_run: false })).toBe(6);
  });
});

describe('a failure', () => {
  it('carries what the service said, field by field', async () => {
    const errors = [{ field: 'time', message: 'is not a moment' }];
    const problem = { title: 'Bad Request', detail: 'One field is wrong.', errors };
    const error = await failure(answering(json(400, problem)).api.schedule({}, null));
    expect(error).toMatchObject({ status: 400, message: 'One field is wrong.', fields: errors });
  });

  it('tells Redis away, a missing token and no answer apart', async () => {
    const away = await failure(answering(json(503, { title: 'x' }, { 'Retry-After': '2' })).api.stats());
    expect(away).toMatchObject({ redisAway: true, retryAfterSeconds: 2 });
    expect((await failure(answering(json(401, {})).api.stats())).unauthorized).toBe(true);
    expect((await failure(answering(new TypeError('refused')).api.stats())).unreachable).toBe(true);
  });

  it('survives an answer that is not JSON', async () => {
    const error = await failure(answering(new Response('<h1>Bad gateway</h1>', { status: 502 })).api.stats());
    expect(error.message).toBe('HTTP 502');
  });
});
