import type { ReactNode } from 'react';
import { problemFor } from '../lib/form';
import type { ScheduleForm } from '../lib/schedule-form';
import type { FieldProblem } from '../lib/types';
import { Field, Segments } from './field';
import { MessageFields } from './message-fields';
import { RunsPreview } from './runs-preview';
import { ZoneField } from './zone-field';

interface Props {
  form: ScheduleForm;
  set: (part: Partial<ScheduleForm>) => void;
  problems: readonly FieldProblem[];
  editing: boolean;
}

const CRONS = [
  ['every day at nine', '0 9 * * *'],
  ['on working days', '0 9 * * mon-fri'],
  ['every 5 minutes', '*/5 * * * *'],
  ['on the last day of the month', '0 18 L * *'],
] as const;
const EVERY = ['30s', '5m', '1h', '1d'];

/** The fields that a new schedule and an edited one have in common. */
export function ScheduleFields(props: Props): ReactNode {
  const { form, set, problems, editing } = props;
  return (
    <>
      <div className="when">
        <Segments
          legend="Runs"
          name="rule"
          value={form.rule}
          options={[
            ['cron', 'By a cron expression'],
            ['every', 'At an interval'],
          ]}
          onChange={(rule) => set({ rule })}
        />
        <div className="field-row">
          {form.rule === 'cron' ? <CronField {...props} /> : <EveryField {...props} />}
          <ZoneField
            zone={form.zone}
            onChange={(zone) => set({ zone })}
            problem={problemFor(problems, 'timezone')}
            hint="Empty is UTC."
          />
        </div>
        <RunsPreview form={form} />
      </div>
      <h2>The message of each run</h2>
      <MessageFields
        form={form.template}
        set={(part) => set({ template: { ...form.template, ...part } })}
        problems={problems}
        editing={editing}
        template
      />
      <BoundFields {...props} />
      <MissedFields {...props} />
      <Text
        {...props}
        name="labels"
        label="Labels"
        hint="Separated by commas; the list of schedules is filtered by them."
      />
      {!editing && (
        <>
          <Text {...props} name="id" label="Own id" hint="Left empty, the service makes one." />
          <label className="check">
            <input type="checkbox" checked={form.paused} onChange={(event) => set({ paused: event.target.checked })} />{' '}
            Begin paused
          </label>
        </>
      )}
    </>
  );
}

function CronField({ form, set, problems }: Props): ReactNode {
  return (
    <Field
      label="Cron expression"
      problem={problemFor(problems, 'cron')}
      hint={
        <>
          Minute, hour, day, month, weekday; six fields begin with the second.{' '}
          {CRONS.map(([meaning, cron]) => (
            <button key={cron} type="button" className="chip" title={cron} onClick={() => set({ cron })}>
              {meaning}
            </button>
          ))}
        </>
      }
    >
      {(props) => (
        <input
          {...props}
          className="code-input"
          value={form.cron}
          spellCheck={false}
          autoComplete="off"
          onChange={(event) => set({ cron: event.target.value })}
        />
      )}
    </Field>
  );
}

function EveryField({ form, set, problems }: Props): ReactNode {
  return (
    <Field
      label="Every"
      problem={problemFor(problems, 'every')}
      hint={
        <>
          Seconds, 1d2h30m45s or PT5M.{' '}
          {EVERY.map((every) => (
            <button key={every} type="button" className="chip" onClick={() => set({ every })}>
              {every}
            </button>
          ))}
        </>
      }
    >
      {(props) => (
        <input
          {...props}
          value={form.every}
          spellCheck={false}
          onChange={(event) => set({ every: event.target.value })}
        />
      )}
    </Field>
  );
}

type TextName = 'id' | 'labels' | 'start' | 'end' | 'maxRuns' | 'jitter' | 'window' | 'limit';

interface TextProps extends Props {
  name: TextName;
  label: string;
  /** The request's field, when it is called otherwise. */
  field?: string;
  hint?: string;
  placeholder?: string;
}

function Text({ form, set, problems, name, field, label, hint, placeholder }: TextProps): ReactNode {
  return (
    <Field label={label} problem={problemFor(problems, field ?? name)} hint={hint}>
      {(props) => (
        <input
          {...props}
          value={form[name]}
          spellCheck={false}
          placeholder={placeholder}
          onChange={(event) => set({ [name]: event.target.value })}
        />
      )}
    </Field>
  );
}

function BoundFields(props: Props): ReactNode {
  const { form, problems } = props;
  const used = form.start || form.end || form.maxRuns || form.jitter;
  const wrong = ['start', 'end', 'max_runs', 'jitter'].some((field) => problemFor(problems, field));
  return (
    <details className="more" open={used || wrong ? true : undefined}>
      <summary>Start, end and jitter</summary>
      <div className="field-row">
        <Text {...props} name="start" label="Not before" placeholder="at once" hint="2027-01-01T09:00:00" />
        <Text {...props} name="end" label="Not after" placeholder="never" />
        <Text {...props} name="maxRuns" field="max_runs" label="Runs at most" placeholder="no limit" />
        <Text {...props} name="jitter" label="Jitter" placeholder="none" hint="Later by up to so much: 30s." />
      </div>
    </details>
  );
}

/** Whatever a run meets: that the service was away, that the run before is not done. */
function MissedFields(props: Props): ReactNode {
  const { form, set, problems } = props;
  const used = form.catchUp || form.window || form.limit || form.overlap;
  const wrong = problemFor(problems, 'catch_up') || problemFor(problems, 'overlap');
  return (
    <details className="more" open={used || wrong ? true : undefined}>
      <summary>Missed and overlapping runs</summary>
      <div className="field-row">
        <Field label="Runs missed while the service was away" problem={problemFor(problems, 'catch_up.policy')}>
          {(field) => (
            <select
              {...field}
              value={form.catchUp}
              onChange={(event) => set({ catchUp: event.target.value as ScheduleForm['catchUp'] })}
            >
              <option value="">default (the latest)</option>
              <option value="none">are given up</option>
              <option value="latest">the latest is made up for</option>
              <option value="all">all are made up for</option>
            </select>
          )}
        </Field>
        <Text {...props} name="window" field="catch_up.window" label="If not older than" placeholder="1h" />
        <Text {...props} name="limit" field="catch_up.limit" label="At most" placeholder="100" />
      </div>
      <Field label="When the run before is not done" problem={problemFor(problems, 'overlap')}>
        {(field) => (
          <select
            {...field}
            value={form.overlap}
            onChange={(event) => set({ overlap: event.target.value as ScheduleForm['overlap'] })}
          >
            <option value="">default (run beside it)</option>
            <option value="allow">run beside it</option>
            <option value="skip">skip the run</option>
            <option value="buffer">run once after it</option>
          </select>
        )}
      </Field>
    </details>
  );
}
