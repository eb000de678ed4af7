// Typed access to metadata: absent, of the right type, of another type.

import { expect, test } from "vitest";
import { isEngineError } from "../../src/base/errors.ts";
import { Metadata, type MetadataValue, StringArray } from "../../src/gguf/metadata.ts";

const VALUES: Record<string, MetadataValue> = {
  text: "x",
  count: 3,
  flag: false,
  huge: 2n ** 60n,
  names: StringArray.from(["a", "", "ü"]),
  scores: Float32Array.of(1, 2),
  hugeList: BigUint64Array.of(2n ** 60n),
  flags: [true, false],
};
const metadata = new Metadata(new Map(Object.entries(VALUES)), "m.gguf", new Map([["huge", 99]]));

const ACCESSORS = {
  string: ["text"],
  number: ["count"],
  boolean: ["flag"],
  strings: ["names"],
  numbers: ["scores"],
  booleans: ["flags"],
} as const satisfies Partial<Record<keyof Metadata, readonly string[]>>;

test.each(Object.keys(ACCESSORS) as (keyof typeof ACCESSORS)[])("%s() takes its own type and no other", (accessor) => {
  for (const [key, value] of Object.entries(VALUES)) {
    if ((ACCESSORS[accessor] as readonly string[]).includes(key)) {
      expect(metadata[accessor](key)).toBe(value);
      continue;
    }
    let error: unknown;
    try {
      metadata[accessor](key);
    } catch (reason) {
      error = reason;
    }
    if (!isEngineError(error, "model_malformed")) throw error ?? new Error(`${accessor}(${key}) was accepted`);
    expect(error.details!.rule).toBe("key-type");
    expect(error.message).toContain(key);
  }
  expect(metadata[accessor]("absent")).toBeUndefined();
});

test("a required key that is absent is named", () => {
  expect(() => metadata.requireString("llama.x")).toThrow(/no llama\.x/);
  expect(() => metadata.requireNumbers("llama.y")).toThrow(/no llama\.y/);
  expect(metadata.requireBoolean("flag")).toBe(false);
  expect(metadata.requireNumber("count")).toBe(3);
  expect([...metadata.requireStrings("names")]).toEqual(["a", "", "ü"]);
});

test("a refusal gives the place of its key", () => {
  expect(() => metadata.number("huge")).toThrow(/m\.gguf, byte 99/);
});
