// Who is let in: keys, host names, origins and preflights, as a table of requests and what becomes of each.
import { expect, test } from "vitest";
import { createGate, type Policy } from "../../../scripts/serve/gate.ts";
import type { RequestRecord } from "../../../src/server/fetch-handler.ts";

const OPEN: Policy = { apiKey: undefined, host: "127.0.0.1", origins: [] };
const KEYED: Policy = { apiKey: "s3cret", host: "0.0.0.0", origins: [] };
const WITH_CORS: Policy = { ...OPEN, origins: ["https://app.example"] };
const KEYED_CORS: Policy = { ...KEYED, origins: ["https://app.example"] };
const HOST = { host: "127.0.0.1:8080" };

async function ask(policy: Policy, method: string, headers: Record<string, string>) {
  const records: RequestRecord[] = [];
  const seen: Request[] = [];
  const gate = createGate({
    policy,
    handler: () => async (request) => {
      seen.push(request);
      return Response.json({ ok: true });
    },
    onRequest: (record) => records.push(record),
  });
  const response = await gate(new Request("http://127.0.0.1:8080/v1/models?q=1", { method, headers }));
  return { response, records, passed: seen.length === 1 };
}

test.each<[string, Policy, string, Record<string, string>, "passes" | [status: number, code: string]]>([
  ["the right key", KEYED, "POST", { authorization: "Bearer s3cret" }, "passes"],
  ["the scheme in any case", KEYED, "POST", { authorization: "bearer s3cret" }, "passes"],
  ["the right key under any name", KEYED, "GET", { authorization: "Bearer s3cret", host: "my.example" }, "passes"],
  ["the right key from any page", KEYED, "POST", { authorization: "Bearer s3cret", origin: "https://x.example" }, "passes"],
  ["no key", KEYED, "GET", HOST, [401, "invalid_api_key"]],
  ["an empty key", KEYED, "POST", { authorization: "Bearer " }, [401, "invalid_api_key"]],
  ["a beginning of the key", KEYED, "POST", { authorization: "Bearer s3cre" }, [401, "invalid_api_key"]],
  ["more than the key", KEYED, "POST", { authorization: "Bearer s3cret2" }, [401, "invalid_api_key"]],
  ["another scheme", KEYED, "POST", { authorization: "Basic s3cret" }, [401, "invalid_api_key"]],
  ["a key where none is needed", OPEN, "POST", { ...HOST, authorization: "Bearer local" }, "passes"],
  ["localhost", OPEN, "POST", { host: "localhost:8080" }, "passes"],
  ["localhost by another port, as through a tunnel", OPEN, "POST", { host: "LocalHost:9000" }, "passes"],
  ["the IPv6 loopback", OPEN, "POST", { host: "[::1]:8080" }, "passes"],
  ["a rebound name", OPEN, "GET", { host: "evil.example:8080" }, [403, "host_not_allowed"]],
  ["a name that begins like a loopback address", OPEN, "GET", { host: "127.0.0.1.evil.example" }, [403, "host_not_allowed"]],
  ["no host", OPEN, "GET", {}, [403, "host_not_allowed"]],
  ["a POST from another site", OPEN, "POST", { ...HOST, origin: "https://evil.example" }, [403, "origin_not_allowed"]],
  ["a POST from a sandboxed frame", OPEN, "POST", { ...HOST, origin: "null" }, [403, "origin_not_allowed"]],
  ["a POST from another port here", OPEN, "POST", { ...HOST, origin: "http://127.0.0.1:3000" }, [403, "origin_not_allowed"]],
  ["a POST from its own origin", OPEN, "POST", { ...HOST, origin: "http://127.0.0.1:8080" }, "passes"],
  ["a GET from another site, which cannot read it", OPEN, "GET", { ...HOST, origin: "https://evil.example" }, "passes"],
  ["a POST from a named origin", WITH_CORS, "POST", { ...HOST, origin: "https://app.example" }, "passes"],
  ["a POST from an unnamed origin", WITH_CORS, "POST", { ...HOST, origin: "https://app.example.evil.example" }, [403, "origin_not_allowed"]],
])("%s", async (_, policy, method, headers, expected) => {
  const { response, passed, records } = await ask(policy, method, headers);
  if (expected === "passes") {
    expect([passed, response.status, records]).toEqual([true, 200, []]);
    return;
  }
  const [status, code] = expected;
  expect(passed).toBe(false);
  expect(response.status).toBe(status);
  expect(response.headers.get("content-type")).toBe("application/json");
  expect(response.headers.get("www-authenticate")).toBe(status === 401 ? "Bearer" : null);
  expect(await response.json()).toEqual({
    error: { message: expect.any(String), type: "invalid_request_error", param: null, code },
  });
  const requestId = response.headers.get("x-request-id");
  expect(requestId).toMatch(/^req_[0-9a-f]{32}$/);
  expect(records).toMatchObject([{ method, path: "/v1/models", status, requestId, errorCode: code }]);
}); // biome-ignore format: one table, a request a line

const PREFLIGHT = {
  ...HOST,
  "access-control-request-method": "POST",
  "access-control-request-headers": "x-stainless-os",
};

test.each([OPEN, KEYED])("without named origins no preflight is answered and no header says CORS", async (policy) => {
  const { response } = await ask(policy, "OPTIONS", { ...PREFLIGHT, origin: "https://app.example" });
  expect(response.status).toBe(403);
  expect([...response.headers.keys()].filter((name) => /access-control|vary/.test(name))).toEqual([]);
});

test.each([WITH_CORS, KEYED_CORS])("a preflight of a named origin is answered without a key", async (policy) => {
  const { response, records, passed } = await ask(policy, "OPTIONS", { ...PREFLIGHT, origin: "https://app.example" });
  expect([response.status, passed]).toEqual([204, false]);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    "access-control-allow-origin": "https://app.example",
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": "x-stainless-os",
    vary: "origin",
  });
  expect(records).toMatchObject([{ method: "OPTIONS", status: 204, errorCode: undefined }]);
});

test("a preflight of another origin is refused, and tells it nothing", async () => {
  const { response } = await ask(WITH_CORS, "OPTIONS", { ...PREFLIGHT, origin: "https://evil.example" });
  expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([403, null]);
  expect(response.headers.get("vary")).toBe("origin");
});

test("a page of a named origin may read answers, refusals and the request's id", async () => {
  const origin = "https://app.example";
  for (const { response } of [
    await ask(WITH_CORS, "POST", { ...HOST, origin }),
    await ask(KEYED_CORS, "POST", { ...HOST, origin }),
  ]) {
    expect(response.headers.get("access-control-allow-origin")).toBe(origin);
    expect(response.headers.get("access-control-expose-headers")).toContain("x-request-id");
  }
});

test("while models are loading what is let in is answered with 503, and only that", async () => {
  const gate = createGate({ policy: KEYED, handler: () => undefined, onRequest: () => {} });
  const asked = (authorization: string) => gate(new Request("http://x/v1/models", { headers: { authorization } }));
  const loading = await asked("Bearer s3cret");
  expect([loading.status, loading.headers.get("retry-after")]).toEqual([503, "2"]);
  expect((await loading.json()).error).toMatchObject({ type: "server_error", code: "model_not_loaded" });
  expect((await asked("Bearer wrong")).status).toBe(401);
});
