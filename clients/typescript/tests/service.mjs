// The real service in a folder of its own, for the tests of one file.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { PYTHON, ROOT } from '../generate.mjs';

export const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

/** Start it; `{ url, stop }` once it answers. */
export async function startService() {
  const folder = mkdtempSync('/tmp/ms-');
  const child = spawn(PYTHON, ['app.py'], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      PORT: '0',
      EVENTS__ENABLED: 'false',
      REDIS__DATADIRECTORY: `${folder}/data`,
      LOGS__DIRECTORY: `${folder}/logs`,
      SERVER__DRAINSECONDS: '0',
      TEST__CLOCK: 'true',
      HISTORY__URL: `sqlite:///${folder}/history.db`,
      WEBHOOK__ALLOWPRIVATENETWORKS: 'true',
      WEBHOOK__SECRETS: SECRET,
    },
  });
  const stop = async () => {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
    rmSync(folder, { recursive: true, force: true });
  };
  const said = [];
  for await (const line of createInterface(child.stderr)) {
    said.push(line);
    const url = /HTTP: +(http:\/\/127\.0\.0\.1:\d+)/.exec(line)?.[1];
    if (url) {
      child.stderr.resume();
      return { url, stop };
    }
  }
  await stop();
  throw new Error(`the service did not start:\n${said.join('\n')}`);
}
