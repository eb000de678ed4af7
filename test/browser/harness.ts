// Chromium on SwiftShader, the built pages behind the demo's own server and policy, and a watch over everything that a page
// may not do: log an error, break the policy, or ask another origin for anything.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { buildDemo, buildForVisitors } from "../../scripts/build.ts";
import { securityHeaders } from "../../scripts/content-security-policy.ts";
import { MODELS_FOLDER, PROJECT_ROOT } from "../../scripts/default-model.ts";
import { findBrowser } from "../../scripts/find-browser.ts";
import { type StaticServer, startStaticServer } from "../../scripts/static-server.ts";
import { endlessModel } from "../fixtures/endless-model.ts";

export const hasBrowser = findBrowser() !== undefined;
/** Loading a model on a CPU adapter that other tests share. */
export const LOAD_TIMEOUT_MS = 180_000;

const WORK = join(PROJECT_ROOT, ".cache/browser-tests");
const FIXTURES = join(WORK, "fixtures");
const SCREENSHOTS = join(PROJECT_ROOT, "artifacts/screenshots");

const SWIFTSHADER = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  // Workgroup memory zeroed by a loop compiles in milliseconds, by Vulkan's extension in seconds.
  "--disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension",
];
const QUIET = [
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export interface Stage {
  readonly browser: Browser;
  readonly site: StaticServer;
  readonly context: BrowserContext;
}

export interface StageOptions {
  /** Default: true. */
  readonly webgpu?: boolean;
  /** Gives pages V8's `gc`. */
  readonly collecting?: boolean;
  readonly context?: BrowserContextOptions;
}

/** For a describe: one site and one browser, and a new context (storage and all) for each test. There while tests run. */
export function useStage(options: StageOptions = {}): Stage {
  const stage: { -readonly [Part in keyof Stage]?: Stage[Part] } = {};
  beforeAll(async () => {
    [stage.site, stage.browser] = await Promise.all([startSite(), launchBrowser(options)]);
  });
  afterAll(async () => {
    await stage.browser?.close();
    await stage.site?.close();
  });
  beforeEach(async () => {
    stage.context = await stage.browser!.newContext(options.context);
  });
  afterEach(() => stage.context?.close());
  return stage as Stage;
}

export function launchBrowser(options: Pick<StageOptions, "webgpu" | "collecting"> = {}): Promise<Browser> {
  const asRoot = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({
    executablePath: findBrowser()!,
    args: [
      ...QUIET,
      ...asRoot,
      ...(options.webgpu === false ? [] : SWIFTSHADER),
      ...(options.collecting ? ["--js-flags=--expose-gc"] : []),
    ],
  });
}

/** The demo at `/`, the bare page at `/page/`, `models/` at `/models/`, and `/fixtures/tiny.gguf`, which never stops talking. */
async function startSite(): Promise<StaticServer> {
  const [demo, page] = [join(WORK, `demo-${process.pid}`), join(WORK, `page-${process.pid}`)];
  await buildDemo(demo);
  await buildForVisitors({
    configFile: false,
    root: join(PROJECT_ROOT, "test/browser/page"),
    publicDir: join(PROJECT_ROOT, "demo/public"),
    base: "./",
    logLevel: "warn",
    build: { outDir: page, emptyOutDir: true, target: "es2022", modulePreload: false, assetsInlineLimit: 0 },
    worker: { format: "es" },
  });
  mkdirSync(FIXTURES, { recursive: true });
  writeFileSync(fixturePath("tiny.gguf"), endlessModel());
  const server = await startStaticServer({
    folders: { "/": demo, "/page/": page, "/models/": MODELS_FOLDER, "/fixtures/": FIXTURES },
    headers: securityHeaders([]),
  });
  return {
    url: server.url,
    async close() {
      await server.close();
      for (const folder of [demo, page]) rmSync(folder, { recursive: true });
    },
  };
}

export function fixturePath(name: string): string {
  return join(FIXTURES, name);
}

export interface WatchedPage {
  page: Page;
  /** Each thing that the page should not have done, in words. Empty in a good run. */
  faults: string[];
  /** URLs that were asked for, workers' requests included. */
  requests: string[];
}

export async function openPage(context: BrowserContext, url: string): Promise<WatchedPage> {
  const faults: string[] = [];
  const requests: string[] = [];
  const page = await context.newPage();
  page.on("pageerror", (error) => faults.push(`uncaught: ${error}`));
  // A policy violation is logged as an error too; a warning is what a development build of a package gives.
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) faults.push(`console: ${message.text()}`);
  });
  context.on("request", (request) => {
    requests.push(request.url());
    if (!request.url().startsWith("blob:") && new URL(request.url()).origin !== new URL(url).origin) {
      faults.push(`request to another origin: ${request.url()}`);
    }
  });
  await page.goto(url);
  return { page, faults, requests };
}

export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
}

/** The demo, with its message box and its last answer. */
export function demoOf(page: Page) {
  return {
    ready: () => page.getByPlaceholder("Ask something").waitFor({ timeout: LOAD_TIMEOUT_MS }),
    async send(text: string) {
      await page.getByLabel("Message", { exact: true }).fill(text);
      await page.keyboard.press("Enter");
    },
    /** Waits until the last answer is in one of these states; its text. */
    async answer(...states: string[]): Promise<string> {
      const last = page.locator("article.assistant").last();
      const selector = states.map((state) => `article.assistant[data-state=${state}]`).join(", ");
      await page.locator(selector).last().waitFor({ timeout: LOAD_TIMEOUT_MS });
      return ((await last.locator(".markdown").textContent()) ?? "").trim();
    },
    async set(label: string, value: string) {
      const field = page.getByLabel(label, { exact: true });
      await field.fill(value);
      await field.blur();
    },
  };
}
