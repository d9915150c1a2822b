import { useId } from 'react';
import type { ReactNode } from 'react';
import { Field } from './field';

interface Props {
  zone: string;
  onChange: (zone: string) => void;
  problem: string | undefined;
  hint?: string;
}

/** A time zone by its IANA name. */
export function ZoneField({ zone, onChange, problem, hint }: Props): ReactNode {
  const list = useId();
  return (
    <Field label="Time zone" problem={problem} hint={hint}>
      {(props) => (
        <>
          <input
            {...props}
            list={list}
            value={zone}
            placeholder="UTC"
            spellCheck={false}
            autoComplete="off"
            onChange={(event) => onChange(event.target.value.trim())}
          />
          <datalist id={list}>
            {['UTC', ...Intl.supportedValuesOf('timeZone')].map((name) => (
              <option key={name} value={name} />
            ))}
          </datalist>
        </>
      )}
    </Field>
  );
}
