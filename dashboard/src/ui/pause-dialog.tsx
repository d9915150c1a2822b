import { useState } from 'react';
import type { ReactNode } from 'react';
import { Dialog } from './dialog';

interface Props {
  title: string;
  text: string;
  /** What the button says. */
  verb?: string;
  onPause: (note: string) => void;
  onClose: () => void;
}

/** Asks once, and why, for those who find it paused. */
export function PauseDialog({ title, text, verb = 'Pause', onPause, onClose }: Props): ReactNode {
  const [note, setNote] = useState('');
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onPause(note.trim());
          onClose();
        }}
      >
        <p>{text}</p>
        <label className="field">
          <span className="label">Note (optional)</span>
          <input autoFocus maxLength={500} value={note} onChange={(event) => setNote(event.target.value)} />
        </label>
        <div className="dialog-buttons">
          <button type="button" className="button" onClick={onClose}>
            Leave it
          </button>
          <button type="submit" className="button danger">
            {verb}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
