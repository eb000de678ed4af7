// Two builds: the library (page entry and worker entry) and, with --mode demo, the chat page.
import { defineConfig } from "vite";

export default defineConfig(({ mode }) =>
  mode === "demo"
    ? {
        root: "demo",
        base: "./",
        build: { outDir: "../dist/demo", emptyOutDir: true, target: "es2022", modulePreload: false, assetsInlineLimit: 0 },
        worker: { format: "es" },
      }
    : {
        build: {
          outDir: "dist",
          emptyOutDir: true,
          target: "es2022",
          lib: {
            entry: { ingle: "src/index.ts", "engine-worker": "worker/engine-worker.ts" },
            formats: ["es"],
          },
        },
        worker: { format: "es" },
      },
);
