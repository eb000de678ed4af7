// The arguments of `npm run serve`: what each means, and what is said of each that is wrong.
import { expect, test } from "vitest";
import { readServeOptions } from "../../../scripts/serve/options.ts";

const DEFAULTS = {
  models: undefined,
  port: 8080,
  host: "127.0.0.1",
  apiKey: undefined,
  origins: [],
  adapter: undefined,
  tune: undefined,
  memoryBudget: undefined,
  kvCache: undefined,
  precision: undefined,
};

test.each([
  ["", {}],
  ["--port 0", { port: 0 }],
  ["--model a.gguf", { models: [{ path: "a.gguf" }] }],
  ["--model small=a.gguf --model b.gguf", { models: [{ path: "a.gguf", id: "small" }, { path: "b.gguf" }] }],
  ["--model x=/models/q=4.gguf", { models: [{ path: "/models/q=4.gguf", id: "x" }] }],
  ["--model ./q=4.gguf", { models: [{ path: "./q=4.gguf" }] }],
  ["--model C:\\q=4.gguf", { models: [{ path: "C:\\q=4.gguf" }] }],
  ["--host localhost", { host: "localhost" }],
  ["--host ::1", { host: "::1" }],
  ["--host 127.0.0.5", { host: "127.0.0.5" }],
  ["--host 0.0.0.0 --api-key k", { host: "0.0.0.0", apiKey: "k" }],
  ["--cors http://localhost:3000 --cors app://x", { origins: ["http://localhost:3000", "app://x"] }],
  ["--tune off", { tune: "off" }],
  ["--adapter lavapipe --memory-budget 1e9", { adapter: "lavapipe", memoryBudget: 1e9 }],
  ["--kv-cache q8_0", { kvCache: "q8_0" }],
  ["--precision fast", { precision: "fast" }],
])("%s", (line, expected) => {
  expect(readServeOptions(words(line), {})).toEqual({ ...DEFAULTS, ...expected });
});

test("the key may come from the environment, and the one in the arguments wins", () => {
  const env = { INGLE_API_KEY: "from-env" };
  expect(readServeOptions(words("--host 0.0.0.0"), env)).toMatchObject({ apiKey: "from-env" });
  expect(readServeOptions(words("--api-key given"), env)).toMatchObject({ apiKey: "given" });
});

test("help is asked for before anything can be wrong", () => {
  expect(readServeOptions(words("--help --port x"), {})).toBe("help");
});

test.each([
  ["--host 0.0.0.0", "--host 0.0.0.0 lets other machines in, and there is no key"],
  ["--host ::", "--host :: lets other machines in"],
  ["--host 192.168.1.7", "--host 192.168.1.7 lets other machines in"],
  ["--host localhost.example.org", "lets other machines in"],
  ["--host 127.0.0.1.example.org", "lets other machines in"],
  ["--port 65536", "--port 65536 is not a port"],
  ["--port 80x", "--port 80x is not a port"],
  ["--port=-1", "--port -1 is not a port"],
  ["--model =a.gguf", "--model =a.gguf is not a path, nor NAME=FILE"],
  ["--model x=", "--model x= is not a path, nor NAME=FILE"],
  ["--model x=a.gguf --model x=b.gguf", "two models are named x"],
  ["--cors *", "--cors * is not an origin"],
  ["--cors https://example.org/", "--cors https://example.org/ is not an origin"],
  ["--cors example.org", "--cors example.org is not an origin"],
  ["--tune on", "--tune on is neither auto nor off"],
  ["--memory-budget 1GiB", "--memory-budget 1GiB is not a number of bytes"],
  ["--memory-budget 0", "--memory-budget 0 is not a number of bytes"],
  ["--precision double", "--precision double is neither of exact and fast"],
  ["--kv-cache q4_0", "--kv-cache q4_0 is not how keys and values can be kept: f16 or q8_0"],
  ["--api-key=", "--api-key is empty"],
  ["--colour red", "usage: npm run serve"],
  ["a.gguf", "usage: npm run serve"],
])("%s is refused in words", (line, message) => {
  expect(() => readServeOptions(words(line), {})).toThrow(message);
});

test("a key that fits no header is refused, and not repeated", () => {
  const key = "gehe1mer schlüssel";
  const refused = () => readServeOptions([], { INGLE_API_KEY: key });
  expect(refused).toThrow("INGLE_API_KEY has characters other than");
  expect(refused).not.toThrow(key);
});

test("an empty variable is no key: a server that seems to have one must not be open", () => {
  expect(() => readServeOptions([], { INGLE_API_KEY: "" })).toThrow("INGLE_API_KEY is empty");
});

function words(line: string): string[] {
  return line === "" ? [] : line.split(" ");
}
