// Two builds: the library (page entry, with its workers beside it) and, with --mode demo, the chat page.
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";
import { serviceWorker } from "./scripts/service-worker-plugin.ts";
import { shaders } from "./scripts/shader-plugin.ts";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/**
 * Vite writes the worker's address as a URL within a URL, which the bundler of whoever uses the library does not recognise
 * as a worker to bring along. Written plainly, all of them do.
 */
const plainWorkerUrl: Plugin = {
  name: "plain-worker-url",
  generateBundle(_, bundle) {
    const page = bundle["ingle.js"];
    if (page?.type !== "chunk") throw new Error("the build has no ingle.js");
    const nested =
      /new URL\(\s*(?:\/\*[^*]*\*\/\s*)?new URL\((["'`])(engine-worker\.js)\1,\s*import\.meta\.url\)\.href,\s*["'`]{2}\s*\+\s*import\.meta\.url\s*\)/;
    if (!nested.test(page.code)) throw new Error("ingle.js names its worker in an unknown way");
    page.code = page.code.replace(nested, 'new URL("./$2", import.meta.url)');
  },
};

export default defineConfig(({ mode }) =>
  mode === "demo"
    ? {
        root: path("demo"),
        base: "./",
        plugins: [shaders(), serviceWorker()],
        build: {
          outDir: path("dist/demo"),
          emptyOutDir: true,
          target: "es2022",
          modulePreload: false,
          assetsInlineLimit: 0, // the page's policy allows no data: URL
        },
        worker: { format: "es", plugins: () => [shaders()] },
      }
    : {
        root: path("."),
        base: "./",
        publicDir: false,
        plugins: [shaders(), plainWorkerUrl, serviceWorker()],
        build: {
          outDir: path("dist"),
          emptyOutDir: true,
          target: "es2022",
          lib: { entry: { ingle: path("src/index.ts") }, formats: ["es"] },
        },
        // The engine's worker gets a name that pages and bundlers can rely on.
        worker: {
          format: "es",
          plugins: () => [shaders()],
          rollupOptions: { output: { entryFileNames: "engine-worker.js", chunkFileNames: "engine-[name]-[hash].js" } },
        },
      },
);
