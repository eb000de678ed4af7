// `npm start`: fetches the model once, builds the demo, and serves it with the model under a strict policy at a local address.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildDemo } from "./build.ts";
import { CommandError } from "./command-error.ts";
import { securityHeaders } from "./content-security-policy.ts";
import { MODELS_FOLDER, PROJECT_ROOT } from "./default-model.ts";
import { fetchModel } from "./fetch-model.ts";
import { interruptSignal } from "./interrupt.ts";
import { startStaticServer } from "./static-server.ts";

const DEFAULT_PORT = 8080;

export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { port: { type: "string" } } });
  const port = values.port === undefined ? DEFAULT_PORT : Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new CommandError(`--port ${values.port} is not a port`);
  const signal = interruptSignal();
  await fetchModel({ signal }).catch((error) => {
    if (signal.aborted) throw error;
    // The page works without it: any other model can be opened from a file.
    console.error(error.message);
  });
  console.error("Building the demo");
  await buildDemo();
  const server = await startStaticServer({
    folders: { "/": join(PROJECT_ROOT, "dist/demo"), "/models/": MODELS_FOLDER },
    headers: securityHeaders(),
    port,
  });
  console.log(`Ingle is at ${server.url}  (Ctrl-C stops it)`);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  await server.close();
}
