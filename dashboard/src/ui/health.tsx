import { useState } from 'react';
import type { ReactNode } from 'react';
import { useDialogs } from '../state/dialogs';
import { useService } from '../state/service';

/** The sentence on top: how it is, in figures, and what to do. */
export function HealthBanner(): ReactNode {
  const { health, notes, failure } = useService();
  return (
    <section className={`health health-${health.level}`} aria-label="Health">
      <span className="health-mark" aria-hidden="true" />
      <div className="health-text">
        <h1>{health.headline}</h1>
        {health.detail && <p className="health-detail">{health.detail}</p>}
        {health.remedy && <p className="health-remedy">{health.remedy}</p>}
        {health.link && (
          <p>
            <a href={health.link.href}>{health.link.label}</a>
          </p>
        )}
        {notes.length > 0 && !failure && (
          <ul className="health-notes">
            {notes.map((note) => (
              <li key={note.text}>{note.href ? <a href={note.href}>{note.text}</a> : note.text}</li>
            ))}
          </ul>
        )}
      </div>
      <PauseButton />
    </section>
  );
}

function PauseButton(): ReactNode {
  const { api, stats, failure, refresh } = useService();
  const { confirm, tell, complain } = useDialogs();
  const [busy, setBusy] = useState(false);
  if (!stats || failure) return null;
  const paused = stats.paused ?? false;

  const set = async (): Promise<void> => {
    const question = {
      title: 'Pause delivery?',
      text: 'All servers stop taking up messages; what is in flight is finished. Messages are still accepted, and wait until you resume.',
      verb: 'Pause delivery',
      danger: true,
    };
    if (!paused && !(await confirm(question))) return;
    setBusy(true);
    try {
      await api.setPaused(!paused);
      tell(paused ? 'Delivery goes on.' : 'Delivery is paused.');
      refresh();
    } catch (error) {
      complain(error);
    }
    setBusy(false);
  };

  return (
    <button type="button" className={paused ? 'button primary' : 'button'} disabled={busy} onClick={() => void set()}>
      {paused ? 'Resume delivery' : 'Pause delivery'}
    </button>
  );
}
