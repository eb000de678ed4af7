// `npm run dev`: the demo from its sources with hot reload, and the model beside it. No CSP here: Vite's client is inline.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createServer } from "vite";
import { MODELS_FOLDER, PROJECT_ROOT } from "./default-model.ts";
import { fetchModel } from "./fetch-model.ts";
import { interruptSignal } from "./interrupt.ts";
import { serveFile } from "./static-server.ts";

export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { port: { type: "string", default: "5173" } } });
  const signal = interruptSignal();
  await fetchModel({ signal }).catch((error) => console.error(error.message));
  const server = await createServer({
    configFile: join(PROJECT_ROOT, "vite.config.ts"),
    mode: "demo",
    server: { host: "127.0.0.1", port: Number(values.port) },
    plugins: [
      {
        name: "models",
        configureServer: ({ middlewares }) => {
          middlewares.use((request, response, next) => {
            if (!request.url?.startsWith("/models/")) return next();
            serveFile(request, response, { "/models/": MODELS_FOLDER }).catch(next);
          });
        },
      },
    ],
  });
  await server.listen();
  server.printUrls();
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  await server.close();
}
