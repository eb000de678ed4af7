import { expect, test } from "vitest";
import { sha256Hex } from "../../src/base/sha256.ts";

// FIPS 180-2, appendix B.1 and B.2.
test.each([
  ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
  [
    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
  ],
])("the digest of %s, as text and as bytes", async (text, digest) => {
  expect(await sha256Hex(text)).toBe(digest);
  expect(await sha256Hex(new TextEncoder().encode(text))).toBe(digest);
});
