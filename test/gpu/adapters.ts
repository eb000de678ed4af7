// The adapters that GPU tests run on: each CPU driver of Vulkan found here, an absent one being a skipped suite with its reason;
// or the one that INGLE_TEST_ADAPTER names, as openDawn takes it: a part of a GPU's name, say.

import process from "node:process";
import { afterAll, describe } from "vitest";
import { listCpuDrivers, openDawn } from "../../scripts/dawn.ts";
import type { Device, DeviceOptions } from "../../src/gpu/device.ts";
import { openDevice } from "../../src/gpu/device.ts";

export interface TestAdapter {
  readonly name: string;
  /** One of the CPU drivers. */
  readonly onCpu: boolean;
  /** It takes seconds for a kernel with barriers: what GPUs run in many forms is tried there in one, and in all on the others. */
  readonly compilesSlowly: boolean;
  readonly gpu: () => Promise<GPU>;
  /** One device for the whole file, opened at first use. */
  readonly device: () => Promise<Device>;
  /** A device of its own, for tests that break it. */
  readonly open: (options?: DeviceOptions) => Promise<Device>;
}

const CHOSEN = process.env["INGLE_TEST_ADAPTER"];

/** Runs `suite` once for each adapter; use inside it `await adapter.device()`. */
export function describeAdapters(title: string, suite: (adapter: TestAdapter) => void): void {
  if (CHOSEN !== undefined) describe(`${title} on ${CHOSEN}`, () => suite(testAdapter(CHOSEN)));
  for (const driver of CHOSEN === undefined ? listCpuDrivers() : []) {
    if (driver.manifest === undefined) {
      describe.skip(`${title} on ${driver.name} (absent: ${driver.install})`, () => suite(testAdapter(driver.name)));
      continue;
    }
    describe(`${title} on ${driver.name}`, () => suite(testAdapter(driver.name)));
  }
}

/**
 * Runs `suite` on the first adapter that is there: for what lies above the kernels and takes minutes on the slowest. Chromium's
 * tests run it there.
 */
export function describeFirstAdapter(title: string, suite: (adapter: TestAdapter) => void): void {
  const first = CHOSEN ?? listCpuDrivers().find(({ manifest }) => manifest !== undefined)?.name;
  if (first !== undefined) describe(`${title} on ${first}`, () => suite(testAdapter(first)));
  else describe.skip(`${title} (no adapter)`, () => suite(testAdapter("none")));
}

/** With the kernels and the memory of GPUs, and without the kernels for subgroups of a CPU's size. */
export function saidToBeGpu(own: Device): Device {
  return Object.create(own, { adapter: { value: { ...own.adapter, isFallback: false, subgroupSize: 32 } } });
}

const opened = new Map<string, Promise<GPU>>();

function testAdapter(name: string): TestAdapter {
  const gpu = () => {
    let promise = opened.get(name);
    if (!promise) {
      promise = openDawn({ adapter: name }).then((dawn) => dawn.gpu);
      opened.set(name, promise);
    }
    return promise;
  };
  const open = async (options?: DeviceOptions) => openDevice(await gpu(), options);
  let shared: Promise<Device> | undefined;
  afterAll(async () => {
    (await shared)?.dispose();
  });
  return {
    name,
    onCpu: listCpuDrivers().some((driver) => driver.name === name),
    compilesSlowly: name === "lavapipe",
    gpu,
    open,
    device() {
      shared ??= open();
      return shared;
    },
  };
}
