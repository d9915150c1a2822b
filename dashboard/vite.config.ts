import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

const root = import.meta.dirname;

/** What the built files depend on.  tests/unit/project/test_dashboard_build.py computes the same digest without Node. */
const SOURCES = ['index.html', 'package-lock.json', 'package.json', 'public', 'src', 'tsconfig.json', 'vite.config.ts'];

function sourceFiles(): string[] {
  const files = SOURCES.flatMap((name) => {
    if (name.includes('.')) return [name];
    return readdirSync(join(root, name), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'));
  });
  return files.sort();
}

function sourceDigest(): string {
  const digest = createHash('sha256');
  for (const file of sourceFiles()) {
    const content = readFileSync(join(root, file));
    digest.update(`${file}\0${content.length}\0`).update(content);
  }
  return digest.digest('hex');
}

/** Writes build.json beside index.html, so that a stale build is noticed even where Node is absent. */
function buildRecord(): Plugin {
  return {
    name: 'build-record',
    apply: 'build',
    generateBundle() {
      const source = `${JSON.stringify({ source_sha256: sourceDigest() })}\n`;
      this.emitFile({ type: 'asset', fileName: 'build.json', source });
    },
  };
}

const service = process.env['SERVICE'] ?? 'http://127.0.0.1:4100';

export default defineConfig({
  root,
  base: './',
  plugins: [buildRecord()],
  build: {
    outDir: '../scheduler/api/static',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: false,
    assetsInlineLimit: 0,
    reportCompressedSize: true,
  },
  server: { host: '127.0.0.1', proxy: { '/v1': service, '/health': service } },
  test: { include: ['tests/**/*.test.ts'], environment: 'node' },
});
