import { SignatureError } from './errors.js';

/** The headers of a request, as fetch, Node or a framework has them. */
export type HeadersLike = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

export interface VerifyOptions {
  /** Seconds that a request may be older or newer than `now`, so that nobody can send an old one again. Default 300. */
  tolerance?: number;
  /** Milliseconds since the epoch. Default: this machine's clock. */
  now?: number;
}

/** A webhook whose signature was checked. */
export interface Delivery {
  /** The message's id, the same for all attempts: remember it, to do nothing twice. */
  id: string;
  /** When it was sent, seconds since the epoch. */
  timestamp: number;
  /** 1 for the first one. */
  attempt: number | undefined;
  /** The moment this attempt was due, ISO 8601. */
  dueAt: string | undefined;
  body: string;
  /** The message; throws a `SyntaxError` when it is no JSON. */
  json(): unknown;
}

/**
 * What a request brings; rejects with a `SignatureError` when it was not signed with one of the secrets.
 *
 * `body`: the bytes as they came. `secrets`: `whsec_…`; several while one is replaced.
 */
export async function verify(
  headers: HeadersLike,
  body: string | Uint8Array | ArrayBuffer,
  secrets: string | readonly string[],
  { tolerance = 300, now = Date.now() }: VerifyOptions = {},
): Promise<Delivery> {
  // Not instanceof: test runners have classes of their own.
  if (typeof body !== 'string' && typeof (body as ArrayBuffer | undefined)?.byteLength !== 'number') {
    throw new TypeError('body is to be the bytes or the text as they came, not what was parsed from them');
  }
  const find = finder(headers);
  const [id, timestamp, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => {
    const value = find(name);
    if (!value) throw new SignatureError(`the header ${name} is missing`);
    return value;
  }) as [string, string, string];
  if (!/^\d+$/.test(timestamp)) {
    throw new SignatureError(`webhook-timestamp is ${timestamp.slice(0, 40)}, not seconds since the epoch`);
  }
  const text = typeof body === 'string' ? body : new TextDecoder().decode(body);
  const raw = typeof body === 'string' ? new TextEncoder().encode(body) : new Uint8Array(body);
  if (!(await isSigned(join(`${id}.${timestamp}.`, raw), signatures, [secrets].flat()))) {
    throw new SignatureError('no signature of webhook-signature is by one of these secrets');
  }
  const off = Math.abs(Number(timestamp) - now / 1000);
  if (off > tolerance) {
    throw new SignatureError(`webhook-timestamp is ${off.toFixed(0)} s off; ${tolerance} s are tolerated`);
  }
  const attempt = find('scheduler-attempt');
  return {
    id,
    timestamp: Number(timestamp),
    attempt: attempt && /^\d+$/.test(attempt) ? Number(attempt) : undefined,
    dueAt: find('scheduler-due-at'),
    body: text,
    json: () => JSON.parse(text) as unknown,
  };
}

async function isSigned(signed: Uint8Array<ArrayBuffer>, signatures: string, secrets: string[]): Promise<boolean> {
  const given = signatures.split(' ').filter((one) => one.startsWith('v1,'));
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  for (const secret of secrets) {
    // A variable of the environment that is not set is undefined.
    const bytes = fromBase64(String(secret ?? '').replace(/^whsec_/, ''));
    if (!bytes?.length) throw new TypeError('a secret is whsec_ and base64');
    const key = await crypto.subtle.importKey('raw', bytes, algorithm, false, ['verify']);
    for (const one of given) {
      const signature = fromBase64(one.slice('v1,'.length));
      if (signature && (await crypto.subtle.verify('HMAC', key, signature, signed))) return true;
    }
  }
  return false;
}

function finder(headers: HeadersLike): (name: string) => string | undefined {
  if (headers instanceof Headers) return (name) => headers.get(name) ?? undefined;
  const found = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return (name) => [found.get(name)].flat().join(' ') || undefined;
}

function join(head: string, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const start = new TextEncoder().encode(head);
  const whole = new Uint8Array(start.length + body.length);
  whole.set(start);
  whole.set(body, start.length);
  return whole;
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    return undefined;
  }
}
