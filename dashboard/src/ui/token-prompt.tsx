import { useState } from 'react';
import type { ReactNode } from 'react';
import { useService } from '../state/service';
import { Dialog } from './dialog';

/** Shown while the service refuses to talk without its token. */
export function TokenPrompt(): ReactNode {
  const { failure, signIn, refused } = useService();
  const [token, setToken] = useState('');
  const [closed, setClosed] = useState(false);
  if (failure?.kind !== 'auth') return null;
  if (closed) {
    return (
      <p className="locked">
        <button type="button" className="button primary" onClick={() => setClosed(false)}>
          Enter the token
        </button>
      </p>
    );
  }
  return (
    <Dialog title="Access token" onClose={() => setClosed(true)}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (token.trim()) signIn(token.trim());
        }}
      >
        <p>
          This service asks for its token (Api.AuthToken, or API_AUTH in its environment). It is kept in this tab only.
        </p>
        <label className="field">
          <span className="label">Token</span>
          <input
            type="password"
            name="token"
            autoComplete="off"
            autoFocus
            value={token}
            onChange={(event) => setToken(event.target.value)}
            aria-invalid={refused}
          />
        </label>
        {refused && (
          <p className="problem" role="alert">
            The service refused that token.
          </p>
        )}
        <div className="dialog-buttons">
          <button type="submit" className="button primary">
            Use this token
          </button>
        </div>
      </form>
    </Dialog>
  );
}
