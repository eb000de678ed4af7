// The wrapper on real adapters: counters, ledger, folding, read back, exhaustion, loss and disposal.
import { afterEach, expect, test } from "vitest";
import { isEngineError } from "../../src/base/errors.ts";
import type { OwnedBuffer } from "../../src/gpu/buffers.ts";
import { USAGE } from "../../src/gpu/buffers.ts";
import type { Device } from "../../src/gpu/device.ts";
import { openDevice } from "../../src/gpu/device.ts";
import { defineKernel, prepare } from "../../src/gpu/kernel.ts";
import { createReadback } from "../../src/gpu/readback.ts";
import { record } from "../../src/gpu/recorder.ts";
import { describeAdapters } from "./adapters.ts";

const STORAGE = USAGE.STORAGE | USAGE.COPY_SRC | USAGE.COPY_DST;

const addKernel = defineKernel({
  name: "add",
  source: `
struct Params { count: u32, scale: f32, shift: i32 }
@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;
override TWICE: bool;
@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let index = group.x + group.z * groups.x;
  if (index >= params.count) { return; }
  output[index] = input[index] * params.scale * select(1.0, 2.0, TWICE) + f32(params.shift);
}`,
  bindings: { input: "read", output: "read_write" },
  params: { count: "u32", scale: "f32", shift: "i32" },
  overrides: { TWICE: "bool" },
  grid: (count: number) => [count],
});

const devices: Device[] = [];
afterEach(() => {
  for (const device of devices.splice(0)) device.dispose();
});

describeAdapters("device", ({ open, gpu, name }) => {
  async function opened(...options: Parameters<typeof open>): Promise<Device> {
    const device = await open(...options);
    devices.push(device);
    return device;
  }
  const storage = (device: Device, byteLength: number, label = "test"): Promise<OwnedBuffer> =>
    device.buffers.create({ label, byteLength, usage: STORAGE });

  test("tells what it is", async () => {
    const device = await opened();
    expect(device.adapter).toMatchObject({
      isFallback: true,
      vendor: { lavapipe: "mesa", swiftshader: "google" }[name],
    });
    expect(device.adapter.subgroupSize).toBe({ lavapipe: 8, swiftshader: 4 }[name]);
    expect(device.features.has("shader-f16")).toBe(name === "lavapipe");
    expect(device.adapter).toMatchObject({ shaderF16: name === "lavapipe", packedDot: true });
    expect(device.maxBindingBytes).toBeGreaterThanOrEqual(128 * 1024 * 1024);
    const plain = await opened({ features: [] });
    expect([plain.features.size, plain.adapter.subgroupSize, plain.adapter.shaderF16]).toEqual([0, 0, false]);
    expect((await opened({ maxBindingBytes: 4096 })).maxBindingBytes).toBe(4096);
  });

  test("runs an operation over more than 65,535 workgroups, and repeats it without making anything", async () => {
    const device = await opened();
    const count = 70_001;
    const [input, output] = await Promise.all([storage(device, count * 4), storage(device, count * 4 + 1024)]);
    const readback = await createReadback(device, count * 4 + 1024, 2);
    device.buffers.write(
      input,
      Float32Array.from({ length: count }, (_, index) => index),
    );
    device.buffers.write(output, new Float32Array(count + 256).fill(-7));
    const operation = await prepare(device, addKernel, {
      label: "add",
      buffers: { input, output },
      params: { count, scale: 0.5, shift: -3 },
      overrides: { TWICE: true },
    });
    const before = { ...device.counters };
    for (let round = 1; round <= 3; round++) {
      const recorder = record(device);
      recorder.run(operation, count);
      recorder.run(operation, 0);
      const pending = readback.copy(recorder, output);
      recorder.submit();
      const result = new Float32Array(await pending.read());
      expect(result.subarray(0, count)).toEqual(Float32Array.from({ length: count }, (_, index) => index - 3));
      expect(result.subarray(count)).toEqual(new Float32Array(256).fill(-7));
      expect(device.counters).toEqual({
        ...before,
        passes: before.passes + round,
        readBytes: before.readBytes + round * result.byteLength,
        submits: before.submits + round,
        dispatches: before.dispatches + round,
      });
    }
  });

  test("shares pipelines and layouts between operations", async () => {
    const device = await opened();
    const [input, output] = await Promise.all([storage(device, 64), storage(device, 64)]);
    const options = { label: "add", buffers: { input, output }, params: { count: 1, scale: 1, shift: 0 } };
    const [first, second] = await Promise.all([
      prepare(device, addKernel, { ...options, overrides: { TWICE: true } }),
      prepare(device, addKernel, { ...options, overrides: { TWICE: true } }),
    ]);
    expect(first.dispatch(1)!.pipeline).toBe(second.dispatch(1)!.pipeline);
    await prepare(device, addKernel, { ...options, overrides: { TWICE: false } });
    expect(device.counters).toMatchObject({ pipelines: 2, layouts: 2, bindGroups: 3, buffers: 3 });
    first.free();
    await prepare(device, addKernel, { ...options, overrides: { TWICE: false } });
    expect(device.counters.buffers).toBe(3);
  });

  test("holds the bytes of its buffers, and none after dispose", async () => {
    const device = await opened();
    const [first] = await Promise.all([storage(device, 1000), storage(device, 16), createReadback(device, 4, 3)]);
    expect(device.buffers.heldBytes).toBe(1008 + 16 + 3 * 16);
    first.free();
    first.free();
    expect(device.buffers.heldBytes).toBe(16 + 3 * 16);
    device.dispose();
    device.dispose();
    expect(device.buffers.heldBytes).toBe(0);
    await expect(storage(device, 16)).rejects.toMatchObject({ code: "disposed" });
    expect(() => record(device)).toThrow(expect.objectContaining({ code: "disposed" }));
    expect(await Promise.race([device.lost, new Promise((resolve) => setTimeout(resolve, 50, "silent"))])).toBe(
      "silent",
    );
  });

  test("names what was asked for and what is held when memory runs out", async () => {
    const device = await opened();
    await storage(device, 1600);
    const requestedBytes = device.gpu.limits.maxBufferSize + 16;
    await expect(storage(device, requestedBytes, "the moon")).rejects.toMatchObject({
      code: "out_of_memory",
      details: { requestedBytes, heldBytes: 1600 },
      message: expect.stringContaining("the moon"),
    });
    expect(device.buffers.heldBytes).toBe(1600);
  });

  test("turns an allocation that the driver refuses into out_of_memory and keeps the rest", async () => {
    const device = await openDevice(refusing(await gpu(), 3));
    devices.push(device);
    await storage(device, 160);
    await storage(device, 160);
    await expect(storage(device, 320)).rejects.toMatchObject({
      code: "out_of_memory",
      details: { requestedBytes: 320, heldBytes: 320 },
    });
    expect(device.buffers.heldBytes).toBe(320);
    await storage(device, 16);
    expect(device.buffers.heldBytes).toBe(336);
  });

  test("says that it was lost, to the call under way and to every later one", async () => {
    const device = await opened();
    const source = await storage(device, 64);
    const readback = await createReadback(device, 64, 2);
    const recorder = record(device);
    const pending = readback.copy(recorder, source);
    recorder.submit();
    const reading = pending.read().catch((error: unknown) => error);
    device.gpu.destroy();
    // A loss may come just after the work was done: then the bytes are good.
    const outcome = await reading;
    expect(outcome instanceof ArrayBuffer || isEngineError(outcome, "device_lost")).toBe(true);
    expect(await device.lost).toMatchObject({ code: "device_lost" });
    const lost = expect.objectContaining({ code: "device_lost" });
    await expect(storage(device, 1 << 20)).rejects.toEqual(lost);
    expect(() => record(device)).toThrow(lost);
    expect(() => device.buffers.write(source, new Uint32Array(4))).toThrow(lost);
    await expect(createReadback(device, 4, 1)).rejects.toEqual(lost);
    device.dispose();
    expect(device.buffers.heldBytes).toBe(0);
  });

  test("does not blame memory for an allocation that the loss overtook", async () => {
    const device = await opened();
    device.gpu.destroy();
    await expect(storage(device, 1 << 20)).rejects.toMatchObject({ code: "device_lost" });
    expect(device.buffers.heldBytes).toBe(0);
  });

  test("a kernel that does not compile is a bug with the compiler's words", async () => {
    const device = await opened();
    const broken = defineKernel({ ...addKernel, source: addKernel.source.replace("params.count", "params.amount") });
    const buffer = await storage(device, 16);
    const preparing = prepare(device, broken, {
      label: "broken",
      buffers: { input: buffer, output: buffer },
      params: { count: 1, scale: 1, shift: 1 },
      overrides: { TWICE: false },
    });
    await expect(preparing).rejects.toThrow(/Bug in Ingle: kernel add does not compile: line \d+: .*amount/);
  });
});

test("no WebGPU and no adapter are webgpu_unavailable with the reason", async () => {
  const noAdapter = { requestAdapter: async () => null } as unknown as GPU;
  const failing = { requestAdapter: () => Promise.reject(new Error("the driver is on fire")) } as unknown as GPU;
  await expect(openDevice(undefined)).rejects.toMatchObject({ code: "webgpu_unavailable" });
  await expect(openDevice(noAdapter)).rejects.toMatchObject({ code: "webgpu_unavailable" });
  await expect(openDevice(failing)).rejects.toMatchObject({
    code: "webgpu_unavailable",
    details: { reason: expect.stringContaining("on fire") },
  });
});

/** A GPU whose device reports that memory is exhausted at the nth buffer. */
function refusing(gpu: GPU, nth: number): GPU {
  let created = 0;
  let refused = false;
  const overlay = <Target extends object>(target: Target, methods: object): Target =>
    new Proxy(target, {
      get(object, key) {
        const value = key in methods ? Reflect.get(methods, key) : Reflect.get(object, key);
        return typeof value === "function" ? value.bind(object) : value;
      },
      set: (object, key, value) => Reflect.set(object, key, value),
    });
  const device = (inner: GPUDevice) =>
    overlay(inner, {
      createBuffer(descriptor: GPUBufferDescriptor) {
        refused = ++created === nth;
        return inner.createBuffer(descriptor);
      },
      async popErrorScope() {
        const error = await inner.popErrorScope();
        // Scopes are popped validation first, memory second.
        if (!refused || ++popped % 2 === 1) return error;
        refused = false;
        return { message: "no memory" };
      },
    });
  let popped = 0;
  const adapter = (inner: GPUAdapter) =>
    overlay(inner, {
      requestDevice: async (options: GPUDeviceDescriptor) => device(await inner.requestDevice(options)),
    });
  return overlay(gpu, {
    async requestAdapter(options: GPURequestAdapterOptions) {
      const inner = await gpu.requestAdapter(options);
      return inner && adapter(inner);
    },
  });
}
