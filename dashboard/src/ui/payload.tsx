import { useState } from 'react';
import type { ReactNode } from 'react';
import { payloadText } from '../lib/describe';
import { formatBytes } from '../lib/format';
import type { Message } from '../lib/types';

/** More than this is shown on demand: laying out a mebibyte of text stops a small machine for seconds. */
const SHOWN = 20_000;

/** The payload, always as text. */
export function Payload({ message }: { message: Pick<Message, 'message' | 'message_kept'> }): ReactNode {
  const [whole, setWhole] = useState(false);
  if (message.message_kept === false) {
    return (
      <section className="panel" aria-labelledby="payload">
        <h2 id="payload">Payload</h2>
        <p className="empty">The history kept no payload (History.Payloads).</p>
      </section>
    );
  }
  const text = payloadText(message);
  const size = new TextEncoder().encode(text).length;
  return (
    <section className="panel" aria-labelledby="payload">
      <div className="panel-head">
        <h2 id="payload">Payload</h2>
        <span className="quiet figures">
          {typeof message.message === 'string' ? 'text' : 'JSON'}, {formatBytes(size)}
        </span>
        <Copy text={text} />
      </div>
      <pre className="code" tabIndex={0} aria-label="Payload">
        {whole ? text : text.slice(0, SHOWN)}
      </pre>
      {!whole && text.length > SHOWN && (
        <button type="button" className="button small" onClick={() => setWhole(true)}>
          Show all {formatBytes(size)}
        </button>
      )}
    </section>
  );
}

export function Copy({ text }: { text: string }): ReactNode {
  const [done, setDone] = useState('');
  // Only pages over https or from this machine may use the clipboard.
  if (!window.isSecureContext) return null;
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setDone('Copied');
    } catch {
      setDone('Not allowed');
    }
    setTimeout(() => setDone(''), 1_500);
  };
  return (
    <button type="button" className="button small" onClick={() => void copy()} aria-live="polite">
      {done || 'Copy'}
    </button>
  );
}
