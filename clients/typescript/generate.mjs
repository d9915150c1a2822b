// Writes src/openapi.ts, the types of the service's OpenAPI document: npm run generate
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import openapiTS, { astToString } from 'openapi-typescript';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const TARGET = new URL('src/openapi.ts', import.meta.url);
export const PYTHON = process.env.PYTHON ?? `${ROOT}.venv/bin/python`;

/** The document, as the service's source says it. */
export function document() {
  const options = { cwd: ROOT, maxBuffer: 64 * 1024 * 1024 };
  return JSON.parse(execFileSync(PYTHON, ['-m', 'clients.document'], options).toString());
}

/** The text of src/openapi.ts. */
export async function generated(document) {
  const types = astToString(await openapiTS(document, { defaultNonNullable: false }));
  return `// Generated from the service's OpenAPI document by "npm run generate": do not edit.\n\n${types}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(TARGET, await generated(document()));
}
