import { useState } from 'react';
import type { FormEvent, ReactNode } from 'react';
import { isPinned, pinnedOf, pinRequest } from '../lib/flows';
import type { Flow, PinForm as Form } from '../lib/flows';
import { problemFor } from '../lib/form';
import { problemsOf } from '../lib/http';
import type { FieldProblem } from '../lib/types';
import { useDialogs } from '../state/dialogs';
import { useService } from '../state/service';
import { Field } from './field';
import { Problems } from './problems';

const TEXTS = [
  ['concurrency', 'At once', 'as it is'],
  ['rate', 'Attempts', 'as it is'],
  ['period', 'per', '1m'],
] as const satisfies readonly (readonly [keyof Form, string, string])[];

interface Props {
  name: string;
  /** Null: nothing is known of this key; it may be pinned before the first message. */
  flow: Flow | null;
  onDone: () => void;
}

/** Fixes what a flow key allows, whatever its messages say. */
export function PinForm({ name, flow, onDone }: Props): ReactNode {
  const { api } = useService();
  const { tell } = useDialogs();
  // The key goes on being read while the form is filled in.
  const [form, setForm] = useState(() => pinnedOf(flow));
  const [problems, setProblems] = useState<FieldProblem[]>([]);
  const [busy, setBusy] = useState(false);

  const change = async (work: () => Promise<Flow>, done: string): Promise<void> => {
    setBusy(true);
    try {
      setForm(pinnedOf(await work()));
      setProblems([]);
      tell(done);
      onDone();
    } catch (error) {
      setProblems(problemsOf(error));
    }
    setBusy(false);
  };
  const pin = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const { request, problems: found } = pinRequest(form);
    setProblems(found);
    if (found.length === 0) await change(() => api.flows.pin(name, request), 'The limits are pinned.');
  };

  return (
    <form className="form panel" onSubmit={(event) => void pin(event)} noValidate aria-labelledby="pin-title">
      <h2 id="pin-title">Pin its limits</h2>
      <p className="hint">
        Pinned limits hold whatever messages and settings say, at once and on all servers. What is left empty is not
        pinned.
      </p>
      <Problems problems={problems} />
      <div className="field-row">
        {TEXTS.map(([field, label, placeholder]) => (
          <Field key={field} label={label} problem={problemFor(problems, field)}>
            {(props) => (
              <input
                {...props}
                value={form[field]}
                placeholder={placeholder}
                spellCheck={false}
                autoComplete="off"
                onChange={(event) => setForm({ ...form, [field]: event.target.value })}
              />
            )}
          </Field>
        ))}
        <Field label="Order" problem={problemFor(problems, 'ordered')}>
          {(props) => (
            <select
              {...props}
              value={form.ordered}
              onChange={(event) => setForm({ ...form, ordered: event.target.value as Form['ordered'] })}
            >
              <option value="">as it is</option>
              <option value="true">one after the other</option>
              <option value="false">any</option>
            </select>
          )}
        </Field>
      </div>
      <div className="form-buttons">
        <button type="submit" className="button primary" disabled={busy}>
          Pin
        </button>
        {isPinned(flow) && (
          <button
            type="button"
            className="button"
            disabled={busy}
            onClick={() => void change(() => api.flows.unpin(name), 'Messages and settings decide again.')}
          >
            Unpin
          </button>
        )}
      </div>
    </form>
  );
}
