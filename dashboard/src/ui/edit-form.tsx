import { useMemo, useState } from 'react';
import type { FormEvent, ReactNode } from 'react';
import { buildChanges, formOf } from '../lib/form';
import { problemsOf } from '../lib/http';
import type { FieldProblem, Message } from '../lib/types';
import { useDialogs } from '../state/dialogs';
import { useService } from '../state/service';
import { MessageFields } from './message-fields';
import { Problems } from './problems';

interface Props {
  message: Message;
  /** With the changed message, or null when it was left as it is. */
  onDone: (changed: Message | null) => void;
}

/** Sends what differs and nothing else. */
export function EditForm({ message, onDone }: Props): ReactNode {
  const { api, refresh } = useService();
  const { tell } = useDialogs();
  // The message goes on being read while it is edited; the form compares with what it was opened on.
  const before = useMemo(() => formOf(message), []);
  const [form, setForm] = useState(before);
  const [problems, setProblems] = useState<FieldProblem[]>([]);
  const [busy, setBusy] = useState(false);

  const save = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const { request, problems: found } = buildChanges(before, form);
    setProblems(found);
    if (found.length > 0) return;
    if (Object.keys(request).length === 0) return onDone(null);
    setBusy(true);
    try {
      const changed = await api.update(message.id, request);
      tell('Changed.');
      refresh();
      onDone({ ...changed, attempts: changed.attempts ?? message.attempts ?? [] });
    } catch (error) {
      setProblems(problemsOf(error));
      setBusy(false);
    }
  };

  return (
    <form className="form panel" onSubmit={(event) => void save(event)} noValidate aria-label="Edit the message">
      <Problems problems={problems} />
      <MessageFields form={form} set={(part) => setForm((now) => ({ ...now, ...part }))} problems={problems} editing />
      <div className="form-buttons">
        <button type="submit" className="button primary" disabled={busy}>
          Save changes
        </button>
        <button type="button" className="button" onClick={() => onDone(null)}>
          Leave as it is
        </button>
      </div>
    </form>
  );
}
