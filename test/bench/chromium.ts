// Contenders in Chromium: one browser, one page each, on a cross-origin isolated site (wllama's threads need that).
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { build } from "vite";
import { MODELS_FOLDER, PROJECT_ROOT } from "../../scripts/default-model.ts";
import { findBrowser } from "../../scripts/find-browser.ts";
import { type StaticServer, startStaticServer } from "../../scripts/static-server.ts";
import type { Contender, LoadFigures, RoundFigures, RoundPlan } from "./contender.ts";
import type {} from "./page/page.ts";
import { installRival } from "./rivals.ts";

const PAGE = join(PROJECT_ROOT, ".cache/bench-page");
const ISOLATION = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
};

export interface ChromiumBench {
  readonly version: string;
  ingle(): Contender;
  wllama(threads: number): Contender;
  close(): Promise<void>;
}

/** The site with the bench's page. */
export async function startBenchSite(): Promise<StaticServer & { readonly folders: Record<string, string> }> {
  await build({
    configFile: false,
    root: join(PROJECT_ROOT, "test/bench/page"),
    logLevel: "warn",
    build: { outDir: PAGE, emptyOutDir: true, target: "es2022", modulePreload: false },
  });
  const folders: Record<string, string> = { "/": PAGE, "/models/": MODELS_FOLDER };
  const server = await startStaticServer({ folders, headers: ISOLATION });
  return { ...server, folders };
}

/** @throws Error without a Chromium */
export async function openChromiumBench(): Promise<ChromiumBench> {
  const executablePath = findBrowser();
  if (executablePath === undefined) throw new Error("there is no Chromium; npm test installs one where it can");
  const server = await startBenchSite();
  const browser: Browser = await chromium.launch({
    executablePath,
    args: [
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
      "--enable-unsafe-webgpu",
      "--use-webgpu-adapter=swiftshader",
      "--disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension",
      "--enable-precise-memory-info",
      "--disable-background-networking",
      "--disable-quic",
    ],
  });

  function contender(
    name: string,
    open: (page: Page, plan: RoundPlan) => Promise<LoadFigures>,
    round: (page: Page, plan: RoundPlan) => Promise<RoundFigures>,
  ): Contender {
    let page: Page | undefined;
    return {
      name,
      async open(plan) {
        page = await browser.newPage();
        await page.goto(server.url);
        await page.waitForFunction(() => globalThis.bench !== undefined);
        return open(page, plan);
      },
      round: (plan) => round(page!, plan),
      close: async () => page?.close(),
    };
  }

  return {
    version: browser.version(),
    ingle: () =>
      contender(
        "Ingle in Chromium",
        (page, plan) => page.evaluate((asked) => globalThis.bench.openIngle(asked), plan),
        (page, plan) => page.evaluate((asked) => globalThis.bench.ingleRound(asked), plan),
      ),
    wllama: (threads) =>
      contender(
        `wllama in Chromium, ${threads} ${threads === 1 ? "thread" : "threads"}`,
        (page, plan) => {
          server.folders["/wllama/"] = join(installRival("wllama"), "esm");
          return page.evaluate(([count, asked]) => globalThis.bench.openWllama(count, asked), [threads, plan] as const);
        },
        (page, plan) => page.evaluate((asked) => globalThis.bench.wllamaRound(asked), plan),
      ),
    async close() {
      await browser.close();
      await server.close();
    },
  };
}
