import { useRef } from 'react';

/** The Idempotency-Key of a request: the same form sent twice, because the first answer was lost, is done once. */
export function useOnce(): (request: unknown) => string {
  const sent = useRef({ body: '', key: '' });
  return (request) => {
    const body = JSON.stringify(request);
    if (body !== sent.current.body) sent.current = { body, key: randomKey() };
    return sent.current.key;
  };
}

/** Not crypto.randomUUID: browsers keep that from pages over plain http. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
