// Types and operations are those of the service's OpenAPI document.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { document, generated, TARGET } from '../generate.mjs';
import { ROUTES } from '../dist/esm/routes.js';

const covered = document();

test('the types are generated from the document as it is', async () => {
  const differs = readFileSync(TARGET, 'utf8') !== (await generated(covered));
  assert.ok(!differs, 'run: make clients');
});

test('every operation has its route, and a method that calls it', () => {
  const described = {};
  for (const [path, methods] of Object.entries(covered.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const keyed = operation.parameters?.some(({ name }) => name === 'Idempotency-Key') ?? false;
      described[operation.operationId] = { method: method.toUpperCase(), path, keyed };
    }
  }
  const routes = Object.entries(ROUTES).map(([name, { method, path, keyed = false }]) => [
    name,
    { method, path, keyed },
  ]);
  assert.deepEqual(Object.fromEntries(routes), described);
  const source = readFileSync(new URL('../src/client.ts', import.meta.url), 'utf8');
  assert.deepEqual(
    Object.keys(ROUTES).filter((name) => !source.includes(`this.#call('${name}'`)),
    [],
  );
});

test('the build is for browsers too: it imports nothing, and its source is compiled without the types of Node', () => {
  const { compilerOptions } = JSON.parse(readFileSync(new URL('../tsconfig.json', import.meta.url), 'utf8'));
  assert.deepEqual(compilerOptions.types, []);
  for (const file of ['client', 'errors', 'exchange', 'index', 'retries', 'routes', 'webhooks']) {
    const source = readFileSync(new URL(`../dist/esm/${file}.js`, import.meta.url), 'utf8');
    for (const [, from] of source.matchAll(/from '(.*?)'/g)) assert.match(from, /^\.\/\w+\.js$/);
  }
});

test('the package holds both builds and their types, and no test', () => {
  const cwd = new URL('..', import.meta.url);
  const [{ files }] = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd }));
  const paths = files.map(({ path }) => path);
  for (const build of ['esm', 'cjs']) {
    for (const kind of ['js', 'd.ts']) assert.ok(paths.includes(`dist/${build}/index.${kind}`));
  }
  assert.ok(paths.includes('dist/cjs/package.json'), 'or Node would read the CommonJS build as ES modules');
  assert.deepEqual(
    paths.filter((path) => !/^(dist\/|package\.json|README\.md)/.test(path)),
    [],
  );
});
