import { useState } from 'react';
import type { ReactNode } from 'react';
import { messageHref } from '../lib/route';
import { useDialogs } from '../state/dialogs';
import { go } from '../state/route';
import { useService } from '../state/service';
import type { Message } from '../lib/types';

interface Props {
  message: Message;
  onChanged: (message: Message) => void;
  onEdit: () => void;
}

/** What may be done with a message in its present state. */
export function MessageActions({ message, onChanged, onEdit }: Props): ReactNode {
  const { api, refresh } = useService();
  const { confirm, tell, complain } = useDialogs();
  const [busy, setBusy] = useState(false);

  const act = async (verb: () => Promise<Message>, done: string): Promise<void> => {
    setBusy(true);
    try {
      const changed = await verb();
      // An answer to a verb need not carry the attempts; what is known of them stays until the next read.
      onChanged({ ...message, ...changed, attempts: changed.attempts ?? message.attempts ?? [] });
      tell(done);
      refresh();
    } catch (error) {
      complain(error);
    }
    setBusy(false);
  };
  const cancel = async (): Promise<void> => {
    const yes = await confirm({
      title: 'Cancel this message?',
      text: 'It will not be delivered. A cancelled message cannot be scheduled again.',
      verb: 'Cancel the message',
      danger: true,
    });
    if (yes) await act(() => api.cancel(message.id), 'Cancelled.');
  };

  const redrive = async (): Promise<void> => {
    setBusy(true);
    try {
      const again = await api.redrive(message.id);
      tell('Scheduled again, due now.');
      refresh();
      if (again.id === message.id)
        onChanged({ ...message, ...again, attempts: again.attempts ?? message.attempts ?? [] });
      else go(messageHref(again.id));
    } catch (error) {
      complain(error);
    }
    setBusy(false);
  };

  if (message.status === 'scheduled') {
    return (
      <span className="actions">
        <button
          type="button"
          className="button"
          disabled={busy}
          onClick={() => void act(() => api.run(message.id), 'Due now.')}
        >
          Run now
        </button>
        <button type="button" className="button" disabled={busy} onClick={onEdit}>
          Edit
        </button>
        <button type="button" className="button danger-text" disabled={busy} onClick={() => void cancel()}>
          Cancel message
        </button>
      </span>
    );
  }
  if (message.status === 'dead') {
    return (
      <span className="actions">
        <button type="button" className="button primary" disabled={busy} onClick={() => void redrive()}>
          Redrive
        </button>
      </span>
    );
  }
  return null;
}
