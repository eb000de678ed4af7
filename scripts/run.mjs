// Runs scripts/NAME.ts through Vite, so that scripts share the sources' TypeScript and `.wgsl?raw` imports on any Node.
import { runnerImport } from "vite";

const [name, ...rest] = process.argv.slice(2);
process.argv.splice(2, process.argv.length, ...rest);
const { module } = await runnerImport(new URL(`./${name}.ts`, import.meta.url).pathname, { logLevel: "error" });
await module.main(rest);
