import type { ReactNode } from 'react';
import { problemFor } from '../lib/form';
import type { Form } from '../lib/form';
import type { Channel, FieldProblem } from '../lib/types';
import { Field, Segments } from './field';
import { FlowFields } from './flow-fields';
import { WhenField } from './when-field';

interface Props {
  form: Form;
  set: (part: Partial<Form>) => void;
  problems: readonly FieldProblem[];
  editing: boolean;
  /** The message is one of a schedule: its moment and its id are not for this form. */
  template?: boolean;
}

const CHANNEL_HINTS: Record<Channel, string> = {
  echo: 'Printed on the server’s console and written to its log.',
  webhook: 'Sent to an address over HTTP.',
  job: 'Run by a Python handler on the server.',
};

/** The fields that a new message and an edited one have in common. */
export function MessageFields(props: Props): ReactNode {
  const { form, set, problems, editing, template } = props;
  return (
    <>
      {!editing && (
        <Segments
          legend="Where to"
          name="channel"
          value={form.channel}
          options={[
            ['echo', 'Echo'],
            ['webhook', 'Webhook'],
            ['job', 'Job'],
          ]}
          hint={CHANNEL_HINTS[form.channel]}
          onChange={(channel) => set({ channel })}
        />
      )}
      {form.channel === 'webhook' && <WebhookFields {...props} />}
      {form.channel === 'job' && !editing && (
        <Field label="Job type" problem={problemFor(problems, 'job')}>
          {(field) => (
            <input
              {...field}
              value={form.jobType}
              spellCheck={false}
              placeholder="send_email"
              onChange={(event) => set({ jobType: event.target.value })}
            />
          )}
        </Field>
      )}
      <BodyField {...props} />
      {!template && (
        <WhenField when={form.when} editing={editing} problems={problems} onChange={(when) => set({ when })} />
      )}
      <Segments
        legend="Priority"
        name="priority"
        value={form.priority}
        options={[
          ['high', 'High'],
          ['normal', 'Normal'],
          ['low', 'Low'],
        ]}
        onChange={(priority) => set({ priority })}
      />
      <MoreFields {...props} />
      {!editing && <FlowFields flow={form.flow} problems={problems} onChange={(flow) => set({ flow })} />}
    </>
  );
}

function BodyField({ form, set, problems }: Props): ReactNode {
  return (
    <div className="body-field">
      <Field label="Message" problem={problemFor(problems, 'message')}>
        {(props) => (
          <textarea
            {...props}
            rows={form.bodyKind === 'json' ? 9 : 5}
            value={form.body}
            spellCheck={form.bodyKind === 'text'}
            className={form.bodyKind === 'json' ? 'code-input' : ''}
            onChange={(event) => set({ body: event.target.value })}
          />
        )}
      </Field>
      <Segments
        legend="Send as"
        name="body-kind"
        value={form.bodyKind}
        options={[
          ['text', 'Text'],
          ['json', 'JSON'],
        ]}
        onChange={(bodyKind) => set({ bodyKind })}
      />
    </div>
  );
}

function WebhookFields({ form, set, problems, editing }: Props): ReactNode {
  return (
    <>
      <div className="field-row url-row">
        <Field label="Method" problem={problemFor(problems, 'webhook.method')}>
          {(props) => (
            <select {...props} value={form.method} onChange={(event) => set({ method: event.target.value })}>
              {['POST', 'PUT', 'PATCH', 'GET', 'DELETE'].map((method) => (
                <option key={method}>{method}</option>
              ))}
            </select>
          )}
        </Field>
        <Field label="Address" problem={problemFor(problems, 'webhook.url')}>
          {(props) => (
            <input
              {...props}
              type="url"
              value={form.url}
              placeholder="https://"
              spellCheck={false}
              onChange={(event) => set({ url: event.target.value })}
            />
          )}
        </Field>
      </div>
      <div className="field-row">
        <Field
          label="Headers"
          problem={problemFor(problems, 'webhook.headers')}
          hint={
            editing
              ? 'Secret ones are not shown: write them again when you change the webhook.'
              : 'One per line, Name: value.'
          }
        >
          {(props) => (
            <textarea
              {...props}
              rows={2}
              className="code-input"
              value={form.headers}
              spellCheck={false}
              onChange={(event) => set({ headers: event.target.value })}
            />
          )}
        </Field>
        <Field label="Time limit, seconds" problem={problemFor(problems, 'webhook.timeout')}>
          {(props) => (
            <input
              {...props}
              inputMode="decimal"
              value={form.timeout}
              placeholder="default"
              onChange={(event) => set({ timeout: event.target.value })}
            />
          )}
        </Field>
      </div>
    </>
  );
}

const RETRY_FIELDS = [
  ['maxAttempts', 'max_attempts', 'Attempts at most'],
  ['base', 'base', 'First wait, seconds'],
  ['factor', 'factor', 'Grows by'],
  ['cap', 'cap', 'Longest wait, seconds'],
] as const;

function MoreFields({ form, set, problems, editing, template }: Props): ReactNode {
  const own = !editing && !template;
  const touched =
    RETRY_FIELDS.some(([key]) => form[key]) || form.id || problemFor(problems, 'retry') || problemFor(problems, 'id');
  return (
    <details className="more" open={touched ? true : undefined}>
      <summary>Retries{own && ' and own id'}</summary>
      <div className="field-row">
        {RETRY_FIELDS.map(([key, field, label]) => (
          <Field key={key} label={label} problem={problemFor(problems, `retry.${field}`)}>
            {(props) => (
              <input
                {...props}
                inputMode="decimal"
                value={form[key]}
                placeholder="default"
                onChange={(event) => set({ [key]: event.target.value })}
              />
            )}
          </Field>
        ))}
        <Field label="Jitter" problem={problemFor(problems, 'retry.jitter')}>
          {(props) => (
            <select
              {...props}
              value={form.jitter}
              onChange={(event) => set({ jitter: event.target.value as Form['jitter'] })}
            >
              <option value="">default</option>
              <option value="true">yes</option>
              <option value="false">no</option>
            </select>
          )}
        </Field>
      </div>
      {own && (
        <Field label="Own id" problem={problemFor(problems, 'id')} hint="Left empty, the service makes one.">
          {(props) => (
            <input
              {...props}
              value={form.id}
              spellCheck={false}
              onChange={(event) => set({ id: event.target.value })}
            />
          )}
        </Field>
      )}
    </details>
  );
}
