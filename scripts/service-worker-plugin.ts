// Brings the service worker along with a page: one classic script, since not every browser takes modules there.
import { join } from "node:path";
import { build, type Plugin } from "vite";
import { PROJECT_ROOT } from "./default-model.ts";

const FILE_NAME = "ingle-service-worker.js";

/** Built beside the page, and served at the root by the dev server. */
export function serviceWorker(): Plugin {
  return {
    name: "service-worker",
    async generateBundle() {
      this.emitFile({ type: "asset", fileName: FILE_NAME, source: await buildServiceWorker() });
    },
    configureServer({ middlewares }) {
      middlewares.use(`/${FILE_NAME}`, (_, response, next) => {
        buildServiceWorker().then((code) => {
          response.setHeader("content-type", "text/javascript; charset=utf-8");
          response.setHeader("cache-control", "no-cache");
          response.end(code);
        }, next);
      });
    },
  };
}

async function buildServiceWorker(): Promise<string> {
  const built = await build({
    configFile: false,
    root: PROJECT_ROOT,
    publicDir: false,
    logLevel: "warn",
    build: {
      write: false,
      target: "es2022",
      modulePreload: false,
      rollupOptions: { input: join(PROJECT_ROOT, "worker/service-worker.ts"), output: { format: "iife" } },
    },
  });
  const outputs = [built].flat().flatMap((result) => ("output" in result ? result.output : []));
  const [script, ...others] = outputs;
  if (script?.type !== "chunk" || others.length > 0) throw new Error(`${FILE_NAME} has to be one script`);
  return script.code;
}
