// Runs scripts/NAME.ts through Vite, so that scripts share the sources' TypeScript and `.wgsl?raw` imports on any Node.
// An error meant for people (CommandError, EngineError) becomes one line and exit code 1; any other keeps its stack.
import { createServer } from "vite";

const [name, ...rest] = process.argv.slice(2);
// A reader that goes away, as in `| head -1`, is a normal end and not a crash.
process.stdout.on("error", (error) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

// Open until the script ends, since scripts import what is heavy only when they need it.
const vite = await createServer({
  configFile: false,
  logLevel: "error",
  appType: "custom",
  server: { middlewareMode: true, hmr: false, ws: false, watch: null },
  optimizeDeps: { noDiscovery: true },
});
try {
  const module = await vite.ssrLoadModule(new URL(`./${name}.ts`, import.meta.url).pathname);
  await module.main(rest);
} catch (error) {
  const forPeople = error?.name === "CommandError" || error?.name === "EngineError";
  console.error(forPeople ? `${name}: ${error.message}` : error);
  process.exitCode = 1;
} finally {
  await vite.close();
}
