import type { Message } from './types';

const EXCERPT = 140;

/** Where a message goes, in a few words: the host of its webhook, the type of its job. */
export function destination(message: Pick<Message, 'webhook' | 'job' | 'type'>): string {
  if (message.webhook?.url) {
    try {
      return new URL(message.webhook.url).host;
    } catch {
      return message.webhook.url;
    }
  }
  return message.job?.type ?? message.type ?? '';
}

/** The beginning of the payload on one line. */
export function excerpt(message: Pick<Message, 'message'>): string {
  const text = typeof message.message === 'string' ? message.message : JSON.stringify(message.message);
  // Cut first: a payload may be a mebibyte.
  const line = (text ?? '')
    .slice(0, EXCERPT * 2)
    .replace(/\s+/g, ' ')
    .trim();
  return line.length > EXCERPT ? `${line.slice(0, EXCERPT)}…` : line;
}

/** The payload as text to read: strings as they are, everything else as indented JSON. */
export function payloadText(message: Pick<Message, 'message'>): string {
  return typeof message.message === 'string' ? message.message : JSON.stringify(message.message, null, 2);
}
