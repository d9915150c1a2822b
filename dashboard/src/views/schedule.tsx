import { useRef, useState } from 'react';
import type { FormEvent, ReactNode } from 'react';
import { ApiError } from '../lib/http';
import { buildRequest, curlCommand, emptyForm } from '../lib/form';
import type { Form } from '../lib/form';
import { messageHref } from '../lib/route';
import type { FieldProblem } from '../lib/types';
import { useDialogs } from '../state/dialogs';
import { go } from '../state/route';
import { useService } from '../state/service';
import { MessageFields } from '../ui/message-fields';
import { Copy } from '../ui/payload';
import { Problems } from '../ui/problems';

export function ScheduleView(): ReactNode {
  const { now } = useService();
  const [form, setForm] = useState(() => emptyForm(now()));
  const [problems, setProblems] = useState<FieldProblem[]>([]);
  const [busy, setBusy] = useState(false);
  const send = useSend();

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const built = buildRequest(form);
    setProblems(built.problems);
    if (built.problems.length > 0) return;
    setBusy(true);
    setProblems(await send(built.request));
    setBusy(false);
  };

  return (
    <section className="page" aria-labelledby="schedule-title">
      <div className="page-head">
        <h1 id="schedule-title">Schedule a message</h1>
      </div>
      <div className="with-aside">
        <form className="form panel" onSubmit={(event) => void submit(event)} noValidate>
          <Problems problems={problems} />
          <MessageFields
            form={form}
            set={(part) => setForm((before) => ({ ...before, ...part }))}
            problems={problems}
            editing={false}
          />
          <div className="form-buttons">
            <button type="submit" className="button primary" disabled={busy}>
              Schedule
            </button>
          </div>
        </form>
        <SameInCurl form={form} />
      </div>
    </section>
  );
}

/** Sends a request and goes to the new message; what is wrong with it otherwise. */
function useSend(): (request: ReturnType<typeof buildRequest>['request']) => Promise<FieldProblem[]> {
  const { api, refresh } = useService();
  const { tell } = useDialogs();
  const sent = useRef({ body: '', key: '' });
  return async (request) => {
    // The same form sent twice, because the first answer was lost, is one message.  An id of one's own does the same.
    const body = JSON.stringify(request);
    if (body !== sent.current.body) sent.current = { body, key: randomKey() };
    try {
      const message = await api.schedule(request, 'id' in request ? null : sent.current.key);
      tell('Scheduled.');
      refresh();
      go(messageHref(message.id));
      return [];
    } catch (error) {
      if (error instanceof ApiError && error.fields.length > 0) return error.fields;
      return [{ field: '', message: String((error as Error).message) }];
    }
  };
}

/** Not crypto.randomUUID: browsers keep that from pages over plain http. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function SameInCurl({ form }: { form: Form }): ReactNode {
  const command = curlCommand(document.baseURI, buildRequest(form).request);
  return (
    <aside className="panel" aria-labelledby="curl">
      <div className="panel-head">
        <h2 id="curl">The same with curl</h2>
        <Copy text={command} />
      </div>
      <pre className="code" tabIndex={0} aria-label="curl command">
        {command}
      </pre>
    </aside>
  );
}
