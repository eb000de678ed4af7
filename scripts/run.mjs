// Runs scripts/NAME.ts through Vite, so that scripts share the sources' TypeScript and `.wgsl?raw` imports on any Node.
// An error meant for people (CommandError, EngineError) becomes one line and exit code 1; any other keeps its stack.
import { runnerImport } from "vite";

const [name, ...rest] = process.argv.slice(2);
// A reader that goes away, as in `| head -1`, is a normal end and not a crash.
process.stdout.on("error", (error) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

try {
  const { module } = await runnerImport(new URL(`./${name}.ts`, import.meta.url).pathname, { logLevel: "error" });
  await module.main(rest);
} catch (error) {
  const forPeople = error?.name === "CommandError" || error?.name === "EngineError";
  console.error(forPeople ? `${name}: ${error.message}` : error);
  process.exitCode = 1;
}
