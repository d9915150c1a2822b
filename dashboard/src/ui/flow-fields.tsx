import type { ReactNode } from 'react';
import { problemFor } from '../lib/form';
import type { FlowForm } from '../lib/form';
import type { FieldProblem } from '../lib/types';
import { Field } from './field';

const TEXTS = [
  ['key', 'Flow key', 'tenant-42'],
  ['concurrency', 'At once', 'as it is'],
  ['rate', 'Attempts', 'as it is'],
  ['period', 'per', '1m'],
] as const satisfies readonly (readonly [keyof FlowForm, string, string])[];

interface Props {
  flow: FlowForm;
  onChange: (flow: FlowForm) => void;
  problems: readonly FieldProblem[];
}

/** The limits that a message shares with others of its flow key. */
export function FlowFields({ flow, onChange, problems }: Props): ReactNode {
  const change = (part: Partial<FlowForm>): void => onChange({ ...flow, ...part });
  return (
    <details className="more" open={flow.key || problemFor(problems, 'flow') ? true : undefined}>
      <summary>Flow control</summary>
      <div className="field-row">
        {TEXTS.map(([name, label, placeholder]) => (
          <Field key={name} label={label} problem={problemFor(problems, `flow.${name}`)}>
            {(props) => (
              <input
                {...props}
                value={flow[name]}
                placeholder={placeholder}
                spellCheck={false}
                onChange={(event) => change({ [name]: event.target.value })}
              />
            )}
          </Field>
        ))}
      </div>
      <label className="check">
        <input type="checkbox" checked={flow.ordered} onChange={(event) => change({ ordered: event.target.checked })} />{' '}
        One after the other
      </label>
    </details>
  );
}
