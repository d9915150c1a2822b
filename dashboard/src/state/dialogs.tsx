import { createContext, useCallback, useContext, useEffect, useMemo, useState } from 'react';
import type { ReactNode } from 'react';
import { Dialog } from '../ui/dialog';

interface Question {
  title: string;
  text: string;
  /** What the button says: the deed, not "OK". */
  verb: string;
  danger?: boolean;
}

interface Notice {
  text: string;
  failed: boolean;
  href?: string;
}

interface Dialogs {
  /** Asks once; resolves to whether the answer was yes. */
  confirm: (question: Question) => Promise<boolean>;
  /** A line at the foot of the page that goes away by itself. */
  tell: (text: string, href?: string) => void;
  complain: (error: unknown) => void;
}

const DialogsContext = createContext<Dialogs | null>(null);
const NOTICE_MS = 6_000;

export function useDialogs(): Dialogs {
  const dialogs = useContext(DialogsContext);
  if (!dialogs) throw new Error('useDialogs is used outside of DialogsProvider');
  return dialogs;
}

interface Asked extends Question {
  answer: (yes: boolean) => void;
}

export function DialogsProvider({ children }: { children: ReactNode }): ReactNode {
  const [asked, setAsked] = useState<Asked | null>(null);
  const [notice, setNotice] = useState<Notice | null>(null);

  useEffect(() => {
    if (!notice) return;
    const timer = setTimeout(() => setNotice(null), NOTICE_MS);
    return () => clearTimeout(timer);
  }, [notice]);

  const confirm = useCallback((question: Question) => {
    return new Promise<boolean>((resolve) => setAsked({ ...question, answer: resolve }));
  }, []);
  const dialogs = useMemo<Dialogs>(
    () => ({
      confirm,
      tell: (text, href) => setNotice({ text, failed: false, ...(href ? { href } : {}) }),
      complain: (error) => setNotice({ text: error instanceof Error ? error.message : String(error), failed: true }),
    }),
    [confirm],
  );
  const answer = (yes: boolean): void => {
    asked?.answer(yes);
    setAsked(null);
  };

  return (
    <DialogsContext value={dialogs}>
      {children}
      {asked && <Confirm asked={asked} answer={answer} />}
      <div className="notices" role="status" aria-live="polite">
        {notice && (
          <p className={notice.failed ? 'notice notice-bad' : 'notice'}>
            {notice.text} {notice.href && <a href={notice.href}>Look at it</a>}
            <button type="button" className="notice-close" aria-label="Dismiss" onClick={() => setNotice(null)}>
              ×
            </button>
          </p>
        )}
      </div>
    </DialogsContext>
  );
}

function Confirm({ asked, answer }: { asked: Asked; answer: (yes: boolean) => void }): ReactNode {
  return (
    <Dialog title={asked.title} onClose={() => answer(false)}>
      <p>{asked.text}</p>
      <div className="dialog-buttons">
        <button type="button" className="button" autoFocus onClick={() => answer(false)}>
          Leave it
        </button>
        <button
          type="button"
          className={asked.danger ? 'button danger' : 'button primary'}
          onClick={() => answer(true)}
        >
          {asked.verb}
        </button>
      </div>
    </Dialog>
  );
}
