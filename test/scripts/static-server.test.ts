// The demo's server: what a browser and the storage layer rely on.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { contentSecurityPolicy, securityHeaders } from "../../scripts/content-security-policy.ts";
import { parseRange, type StaticServer, startStaticServer } from "../../scripts/static-server.ts";

let folder: string;
let server: StaticServer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "ingle-server-"));
  mkdirSync(join(folder, "page"));
  mkdirSync(join(folder, "models"));
  writeFileSync(join(folder, "page/index.html"), "<!doctype html>");
  writeFileSync(join(folder, "models/m.gguf"), "0123456789");
  writeFileSync(join(folder, "secret"), "secret");
  server = await startStaticServer({
    folders: { "/": join(folder, "page"), "/models/": join(folder, "models") },
    headers: securityHeaders(),
  });
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const get = (path: string, headers: Record<string, string> = {}, method = "GET") =>
  fetch(new URL(path, server.url), { method, headers });

test("the page comes with the policy, for GET and HEAD alike", async () => {
  for (const method of ["GET", "HEAD"]) {
    const response = await get("/", {}, method);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(response.headers.get("content-security-policy")).toBe(contentSecurityPolicy());
  }
});

test("the policy allows nothing inline or evaluated, and no host but the models'", () => {
  const policy = contentSecurityPolicy(["https://models.example"]);
  expect(policy).not.toMatch(/unsafe|\*|data:/);
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("connect-src 'self' https://models.example;");
});

test("a range is answered with 206 and its place, a stale one with the whole file", async () => {
  const part = await get("/models/m.gguf", { range: "bytes=2-4" });
  expect([part.status, part.headers.get("content-range"), await part.text()]).toEqual([206, "bytes 2-4/10", "234"]);
  const etag = part.headers.get("etag")!;
  expect((await get("/models/m.gguf", { range: "bytes=2-4", "if-range": etag })).status).toBe(206);
  const stale = await get("/models/m.gguf", { range: "bytes=2-4", "if-range": '"other"' });
  expect([stale.status, await stale.text()]).toEqual([200, "0123456789"]);
  expect((await get("/models/m.gguf", { range: "bytes=10-" })).status).toBe(416);
});

test.each([
  ["bytes=0-", { start: 0, end: 10 }],
  ["bytes=9-100", { start: 9, end: 10 }],
  ["bytes=-3", { start: 7, end: 10 }],
  ["bytes=-30", { start: 0, end: 10 }],
  ["bytes=-0", "unsatisfiable"],
  ["bytes=10-11", "unsatisfiable"],
  ["bytes=4-2", undefined],
  ["bytes=0-1,3-4", undefined],
  ["items=0-1", undefined],
  [undefined, undefined],
])("%s of ten bytes", (header, expected) => {
  expect(parseRange(header, 10)).toEqual(expected);
});

test("nothing outside the folders is served", async () => {
  // fetch() tidies paths up before it sends them; a raw request does not.
  const status = (path: string) =>
    new Promise((resolve) => {
      const { hostname, port } = new URL(server.url);
      request({ hostname, port, path }, (response) => resolve(response.resume().statusCode)).end();
    });
  expect(await status("/../secret")).toBe(404);
  expect(await status("/models/..%2f..%2fsecret")).toBe(404);
  expect(await status("/models/%2e%2e/%2e%2e/secret")).toBe(404);
  expect(await status("/%zz")).toBe(404);
  expect((await get("/", {}, "POST")).status).toBe(405);
});

test("a taken port is passed over", async () => {
  const taken = Number(new URL(server.url).port);
  const second = await startStaticServer({ folders: {}, port: taken });
  expect(Number(new URL(second.url).port)).toBeGreaterThan(taken);
  await second.close();
});
