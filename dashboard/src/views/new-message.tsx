import { useState } from 'react';
import type { FormEvent, ReactNode } from 'react';
import { buildRequest, emptyForm } from '../lib/form';
import { problemsOf } from '../lib/http';
import { messageHref } from '../lib/route';
import type { FieldProblem } from '../lib/types';
import { useDialogs } from '../state/dialogs';
import { useOnce } from '../state/once';
import { go } from '../state/route';
import { useService } from '../state/service';
import { MessageFields } from '../ui/message-fields';
import { SameInCurl } from '../ui/same-in-curl';
import { Problems } from '../ui/problems';

export function NewMessageView(): ReactNode {
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
        <SameInCurl route="v1/messages" request={buildRequest(form).request} />
      </div>
    </section>
  );
}

/** Sends a request and goes to the new message; what is wrong with it otherwise. */
function useSend(): (request: ReturnType<typeof buildRequest>['request']) => Promise<FieldProblem[]> {
  const { api, refresh } = useService();
  const { tell } = useDialogs();
  const once = useOnce();
  return async (request) => {
    try {
      // An id of one's own does the same as a key.
      const message = await api.schedule(request, 'id' in request ? null : once(request));
      tell('Scheduled.');
      refresh();
      go(messageHref(message.id));
      return [];
    } catch (error) {
      return problemsOf(error);
    }
  };
}
