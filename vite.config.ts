// Two builds: the library (page entry, with its worker beside it) and, with --mode demo, the chat page.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

export default defineConfig(({ mode }) =>
  mode === "demo"
    ? {
        root: path("demo"),
        base: "./",
        build: {
          outDir: path("dist/demo"),
          emptyOutDir: true,
          target: "es2022",
          modulePreload: false,
          assetsInlineLimit: 0, // the page's policy allows no data: URL
        },
        worker: { format: "es" },
      }
    : {
        root: path("."),
        base: "./",
        publicDir: false,
        build: {
          outDir: path("dist"),
          emptyOutDir: true,
          target: "es2022",
          lib: { entry: { ingle: path("src/index.ts") }, formats: ["es"] },
        },
        // The one worker gets a name that pages and bundlers can rely on.
        worker: {
          format: "es",
          rollupOptions: { output: { entryFileNames: "engine-worker.js", chunkFileNames: "engine-[name]-[hash].js" } },
        },
      },
);
