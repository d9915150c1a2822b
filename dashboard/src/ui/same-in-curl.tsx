import type { ReactNode } from 'react';
import { curlCommand } from '../lib/form';
import type { Request } from '../lib/form';
import { Copy } from './payload';

/** What a form sends, for a terminal. */
export function SameInCurl({ route, request }: { route: string; request: Request }): ReactNode {
  const command = curlCommand(new URL(route, document.baseURI).href, request);
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
