// Starts a worker thread from one of our own files, in the built package as well as from TypeScript source.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { Worker, type WorkerOptions } from "node:worker_threads";

/**
 * A worker running the file `name` beside `base`. It does not keep the process alive: call `ref()` while something is
 * awaited from it.
 * @param name file name without extension, such as `./session-worker`
 * @param base `import.meta.url` of the caller
 */
export function startWorker(name: string, base: string, options: WorkerOptions = {}): Worker {
  const file = moduleBeside(name, base);
  const entry = base.endsWith(".ts") ? fromSource(file, base) : file;
  // The flags of the process (loaders, the inspector's port) are not for its workers.
  const worker = new Worker(entry, { execArgv: [], ...options });
  worker.unref();
  return worker;
}

/**
 * The address of our own file `name` beside `base`: `.ts` in source, `.js` in the built package.
 * @param name file name without extension
 * @param base `import.meta.url` of the caller
 */
export function moduleBeside(name: string, base: string): URL {
  return new URL(`${name}.${base.endsWith(".ts") ? "ts" : "js"}`, base);
}

/** Node.js 20 cannot read TypeScript: a first line of JavaScript registers tsx, a development dependency, in the worker. */
function fromSource(file: URL, base: string): URL {
  // `require.resolve` finds the CommonJS edition; its sibling is the one a module can import.
  const tsx = new URL("index.mjs", pathToFileURL(createRequire(base).resolve("tsx/esm/api")));
  const code = `import { register } from ${JSON.stringify(tsx)}; register(); await import(${JSON.stringify(file)});`;
  return new URL(`data:text/javascript,${encodeURIComponent(code)}`);
}
