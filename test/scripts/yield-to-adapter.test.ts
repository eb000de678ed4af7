// The naps between rounds of Dawn's loop, with stand-ins for its classes.
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { yieldToAdapter } from "../../scripts/yield-to-adapter.ts";

const naps = vi.spyOn(Atomics, "wait").mockReturnValue("timed-out");
interface Answer {
  resolve(value: string): void;
  reject(error: unknown): void;
}
const answers: Answer[] = [];
class Buffer {
  mapAsync(mode: number): Promise<string> {
    expect([this instanceof Buffer, mode]).toEqual([true, 1]);
    return new Promise((resolve, reject) => answers.push({ resolve, reject }));
  }
}
class Queue {
  async onSubmittedWorkDone(): Promise<void> {}
}
class Device {
  async createComputePipelineAsync(): Promise<void> {}
}

async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await nextTurn();
}

beforeAll(() => {
  vi.stubGlobal("GPUBuffer", Buffer);
  vi.stubGlobal("GPUQueue", Queue);
  vi.stubGlobal("GPUDevice", Device);
});
afterAll(() => {
  vi.unstubAllGlobals();
  naps.mockRestore();
});

test("nothing is changed for a GPU", async () => {
  const before = Buffer.prototype.mapAsync;
  yieldToAdapter("NVIDIA H100");
  expect(Buffer.prototype.mapAsync).toBe(before);
});

test("for a CPU the thread naps while something is awaited and no longer, and what is awaited comes as it is", async () => {
  yieldToAdapter("llvmpipe (LLVM 15.0.6, 256 bits)");
  await turns();
  expect(naps).not.toHaveBeenCalled();

  const buffer = new Buffer();
  const [first, second] = [buffer.mapAsync(1), buffer.mapAsync(1)];
  await turns();
  expect(naps.mock.calls.length).toBeGreaterThan(5);
  answers[0]!.resolve("mapped");
  expect(await first).toBe("mapped");
  naps.mockClear();
  await turns();
  expect(naps).toHaveBeenCalled(); // the other is still on its way

  answers[1]!.reject(new Error("lost"));
  await expect(second).rejects.toThrow("lost");
  await turns();
  naps.mockClear();
  await turns();
  expect(naps).not.toHaveBeenCalled();
});
