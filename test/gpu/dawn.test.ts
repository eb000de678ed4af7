// Finding drivers: what is absent is said in one line, and one process opens several drivers without disturbing its environment.
import { expect, test } from "vitest";
import { listCpuDrivers, openDawn } from "../../scripts/dawn.ts";

test("an adapter that is not here is refused in one line that says what to try", async () => {
  await expect(openDawn({ adapter: "no such adapter" })).rejects.toMatchObject({
    code: "webgpu_unavailable",
    message: expect.stringMatching(/^[^\n]*no such adapter[^\n]*lavapipe or swiftshader[^\n]*$/),
  });
});

const here = listCpuDrivers().filter(({ manifest }) => manifest !== undefined);
test.skipIf(here.length === 0)(
  "each driver here opens by its name, and the loader's variables stay as they were",
  async () => {
    const before = { ...process.env };
    const names = { lavapipe: /llvmpipe/, swiftshader: /SwiftShader/i };
    for (const { name } of [...here, here[0]!]) {
      const dawn = await openDawn({ adapter: name });
      expect(dawn.name).toMatch(names[name as keyof typeof names]);
      const adapter = await dawn.gpu.requestAdapter();
      expect(adapter?.info.isFallbackAdapter).toBe(true);
    }
    expect({ ...process.env }).toEqual(before);
  },
);
