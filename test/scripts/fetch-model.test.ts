// The model fetcher against a local server that misbehaves in every way a download can.
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { downloadTo } from "../../scripts/download.ts";
import { fetchModel, type ModelOrigin } from "../../scripts/fetch-model.ts";

const body = Buffer.alloc(200_000, "ingle ");
const file = {
  name: "tiny.gguf",
  byteLength: body.length,
  sha256: createHash("sha256").update(body).digest("hex"),
};
let folder: string;
let path: string;
let server: Server | undefined;
const said: string[] = [];
const say = (line: string) => said.push(line);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ingle-fetch-"));
  path = join(folder, file.name);
  said.length = 0;
});
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
  rmSync(folder, { recursive: true });
});

async function serve(listener: RequestListener): Promise<ModelOrigin> {
  const listening = createServer(listener);
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(listening.address() as AddressInfo).port}/${file.name}`;
  return { name: "the test server", write: (part, onBytes, signal) => downloadTo(part, url, onBytes, signal) };
}

const withRanges: RequestListener = (request, response) => {
  const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
  response.writeHead(start > 0 ? 206 : 200, { "content-length": body.length - start });
  response.end(body.subarray(start));
};

test("a whole file gets its name, and is not fetched again", async () => {
  let requests = 0;
  const origin = await serve((request, response) => {
    requests++;
    withRanges(request, response);
  });
  expect(await fetchModel({ file, path, origins: [origin], say })).toBe(path);
  expect(readFileSync(path).equals(body)).toBe(true);
  await fetchModel({ file, path, origins: [origin], say });
  expect(requests).toBe(1);
  expect(readdirSync(folder)).toEqual([file.name]);
});

test("a cut download leaves nothing under the final name, and the next run asks only for the rest", async () => {
  const ranges: (string | undefined)[] = [];
  const origin = await serve((request, response) => {
    ranges.push(request.headers.range);
    if (ranges.length > 1) return withRanges(request, response);
    response.writeHead(200, { "content-length": body.length });
    response.write(body.subarray(0, 50_000), () => response.destroy());
  });
  await expect(fetchModel({ file, path, origins: [origin], say })).rejects.toThrow(/could not fetch tiny\.gguf/);
  expect(existsSync(path)).toBe(false);
  await fetchModel({ file, path, origins: [origin], say });
  expect(readFileSync(path).equals(body)).toBe(true);
  expect(ranges[0]).toBeUndefined();
  expect(ranges[1]).toMatch(/^bytes=[1-9]\d*-$/);
});

test("a file with another content is refused and removed", async () => {
  const origin = await serve((_, response) => response.end(Buffer.alloc(body.length)));
  await expect(fetchModel({ file, path, origins: [origin], say })).rejects.toThrow(/SHA-256/);
  expect(readdirSync(folder)).toEqual([]);
});

test("a damaged file under the final name is replaced", async () => {
  writeFileSync(path, body.subarray(0, 1000));
  await fetchModel({ file, path, origins: [await serve(withRanges)], say });
  expect(readFileSync(path).equals(body)).toBe(true);
  expect(said.join("\n")).toContain("damaged");
});

test("a server that ignores Range starts the file over", async () => {
  writeFileSync(`${path}.part`, Buffer.alloc(777));
  await fetchModel({ file, path, origins: [await serve((_, response) => response.end(body))], say });
  expect(readFileSync(path).equals(body)).toBe(true);
});

test("an error or a web page from one origin passes on to the next", async () => {
  const refused = await serve((_, response) => response.writeHead(404).end());
  const second: ModelOrigin = { name: "the second", write: async (part) => writeFileSync(part, body) };
  await fetchModel({ file, path, origins: [refused, second], say });
  expect(said.join("\n")).toContain("HTTP 404");
  expect(readFileSync(path).equals(body)).toBe(true);

  server?.close();
  rmSync(path);
  const page = await serve((_, response) => response.setHeader("content-type", "text/html").end("<html>"));
  await expect(fetchModel({ file, path, origins: [page], say })).rejects.toThrow(/web page/);
});

test("stopping keeps the bytes so far, under the other name only", async () => {
  const stop = new AbortController();
  const origin = await serve((_, response) => {
    response.writeHead(200, { "content-length": body.length });
    response.write(body.subarray(0, 100_000));
  });
  const stopping: ModelOrigin = {
    ...origin,
    write: (part, _, signal) => origin.write(part, () => stop.abort(), signal),
  };
  await expect(fetchModel({ file, path, origins: [stopping], say, signal: stop.signal })).rejects.toThrow(
    /run it again/,
  );
  expect(readdirSync(folder)).toEqual([`${file.name}.part`]);
});
