import { useEffect, useState } from 'react';
import type { ReactNode } from 'react';
import { ApiError } from '../lib/http';
import { problemFor, whenRequest } from '../lib/form';
import type { When, WhenMode } from '../lib/form';
import { formatMoment } from '../lib/time';
import type { FieldProblem, Preview } from '../lib/types';
import { useService } from '../state/service';
import { Field, Segments } from './field';
import { Countdown } from './moment';
import { ZoneField } from './zone-field';

const DELAYS = ['10s', '5m', '1h', '1d'];
const DEBOUNCE_MS = 250;
const MODES: readonly (readonly [WhenMode, string])[] = [
  ['now', 'Now'],
  ['delay', 'After a delay'],
  ['time', 'At a time'],
  ['text', 'As text'],
];
const EDIT_MODES: readonly (readonly [WhenMode, string])[] = [['keep', 'As it is'], ...MODES];

interface Props {
  when: When;
  onChange: (when: When) => void;
  problems: readonly FieldProblem[];
  editing: boolean;
}

/** Every way to say when, and how the service reads it. */
export function WhenField({ when, onChange, problems, editing }: Props): ReactNode {
  const set = (part: Partial<When>): void => onChange({ ...when, ...part });
  return (
    <div className="when">
      <Segments
        legend="When"
        name="when"
        value={when.mode}
        options={editing ? EDIT_MODES : MODES}
        onChange={(mode) => set({ mode })}
      />
      {when.mode === 'delay' && <DelayField when={when} set={set} problem={problemFor(problems, 'delay')} />}
      {when.mode === 'time' && (
        <div className="field-row">
          <Field label="Date and time" problem={problemFor(problems, 'time')}>
            {(props) => (
              <input
                {...props}
                type="datetime-local"
                step="1"
                value={when.local}
                onChange={(event) => set({ local: event.target.value })}
              />
            )}
          </Field>
          <ZoneField zone={when.zone} onChange={(zone) => set({ zone })} problem={problemFor(problems, 'timezone')} />
        </div>
      )}
      {when.mode === 'text' && (
        <div className="field-row">
          <Field
            label="Moment"
            problem={problemFor(problems, 'time')}
            hint="2027-01-01T09:00:00+01:00 · Fri, 01 Jan 2027 09:00:00 GMT · 1798790400 · 1798790400000"
          >
            {(props) => (
              <input
                {...props}
                value={when.text}
                spellCheck={false}
                onChange={(event) => set({ text: event.target.value })}
              />
            )}
          </Field>
          <ZoneField
            zone={when.zone}
            onChange={(zone) => set({ zone })}
            problem={problemFor(problems, 'timezone')}
            hint="Only for a time without an offset; empty is UTC."
          />
        </div>
      )}
      <PreviewLine when={when} />
    </div>
  );
}

interface PartProps {
  when: When;
  set: (part: Partial<When>) => void;
  problem: string | undefined;
}

function DelayField({ when, set, problem }: PartProps): ReactNode {
  return (
    <Field
      label="Delay"
      problem={problem}
      hint={
        <>
          Seconds, 1d2h30m45s or PT5M.{' '}
          {DELAYS.map((delay) => (
            <button key={delay} type="button" className="chip" onClick={() => set({ delay })}>
              {delay}
            </button>
          ))}
        </>
      }
    >
      {(props) => (
        <input
          {...props}
          value={when.delay}
          spellCheck={false}
          onChange={(event) => set({ delay: event.target.value })}
        />
      )}
    </Field>
  );
}

/** Asks the service, so that what stands here is what it will do: its clock, its rules for time zones. */
function PreviewLine({ when }: { when: When }): ReactNode {
  const { api } = useService();
  const [preview, setPreview] = useState<Preview | null>(null);
  const [problem, setProblem] = useState('');
  const { request, problems } = whenRequest(when);
  const asked = when.mode === 'now' || when.mode === 'keep' || problems.length > 0 ? null : JSON.stringify(request);

  useEffect(() => {
    setPreview(null);
    setProblem('');
    if (asked === null) return;
    const controller = new AbortController();
    const ask = async (): Promise<void> => {
      try {
        setPreview(await api.preview(JSON.parse(asked), controller.signal));
      } catch (error) {
        if (controller.signal.aborted) return;
        setProblem(error instanceof ApiError ? (error.fields[0]?.message ?? error.detail) : String(error));
      }
    };
    const timer = setTimeout(() => void ask(), DEBOUNCE_MS);
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [api, asked]);

  return (
    <div className="preview" role="status" aria-label="Preview of the moment">
      {when.mode === 'now' && <p>At once.</p>}
      {when.mode === 'keep' && <p>The moment stays as it is.</p>}
      {problem && <p className="problem">{problem}</p>}
      {preview && (
        <>
          <p className="preview-local figures">
            {formatMoment(preview.due_at_ms)} <span className="quiet">your time</span>
          </p>
          <p className="figures quiet">
            {formatMoment(preview.due_at_ms, 'UTC')} UTC · <Countdown at={preview.due_at_ms} />
          </p>
        </>
      )}
      {asked !== null && !preview && !problem && <p className="quiet">…</p>}
    </div>
  );
}
