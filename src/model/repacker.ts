// Rows of the file on their way to the planes that kernels read: copied to the GPU as they are, and put in order there.
import { allEnded } from "../base/all-ended.ts";
import { type OwnedBuffer, USAGE } from "../gpu/buffers.ts";
import type { Device } from "../gpu/device.ts";
import { type Operation, prepare } from "../gpu/kernel.ts";
import { record } from "../gpu/recorder.ts";
import { REPACK_HEADER_WORDS, repack, repackOverrides } from "../kernels/repack.ts";
import { ROW_TILE } from "../quant/format.ts";
import { planeSizes } from "../quant/planes.ts";
import type { Matrix, MatrixPart } from "./weights.ts";

export interface Repacker {
  /**
   * Submits it; the bytes have been copied when this resolves.
   * @param firstRow of the part; a multiple of ROW_TILE
   * @param bytes of `rowCount` rows, at any alignment
   * @throws EngineError as `prepare`
   */
  write(
    matrix: Matrix,
    part: MatrixPart,
    firstRow: number,
    rowCount: number,
    bytes: Uint8Array<ArrayBuffer>,
  ): Promise<void>;
  /** Idempotent. */
  free(): void;
}

type RepackPlane = Operation<{ tiles: number; units: number }>;

/**
 * For rows of these matrices, up to `bytes` at a time, which the GPU has room for until `free`. Its kernels compile meanwhile.
 * @throws EngineError `out_of_memory`, `device_lost`
 */
export async function createRepacker(device: Device, matrices: Iterable<Matrix>, bytes: number): Promise<Repacker> {
  const headerBytes = REPACK_HEADER_WORDS * 4;
  const staging = await device.buffers.create({
    label: "rows to repack",
    byteLength: headerBytes + Math.ceil(bytes / 4) * 4,
    usage: USAGE.STORAGE | USAGE.COPY_DST,
  });
  const operations = new Map<MatrixPart, Promise<readonly RepackPlane[]>>();
  for (const { format, parts } of matrices) {
    for (const part of parts) {
      const planes = [part.quants, ...(format.extraWords > 0 ? [part.extras] : [])];
      const prepared = allEnded(
        planes.map((plane) =>
          prepare(device, repack, {
            label: `repack ${format.name}`,
            buffers: { source: staging, plane },
            params: {},
            overrides: repackOverrides(format, plane === part.extras),
            prelude: format.repackPrelude,
          }),
        ),
      );
      prepared.catch(() => {}); // awaited when its rows come, or dropped when something else fails first
      operations.set(part, prepared);
    }
  }

  return {
    async write({ format, columns }, part, firstRow, rowCount, bytes) {
      const planes = await operations.get(part)!;
      const { tiles, unitsPerRow: units } = planeSizes(format, rowCount, columns);
      const header = [firstRow / ROW_TILE, rowCount, columns / format.blockLength, units];
      // In the queue's order: what was submitted before has read the rows that lay here.
      device.buffers.write(staging, new Uint32Array(header));
      writeBytes(device, staging, bytes, headerBytes);
      const recorder = record(device);
      for (const operation of planes) recorder.run(operation, { tiles, units });
      recorder.submit();
    },
    free() {
      operations.clear();
      staging.free();
    },
  };
}

/** WebGPU copies whole words. */
function writeBytes(device: Device, to: OwnedBuffer, bytes: Uint8Array<ArrayBuffer>, offset: number): void {
  const whole = bytes.length - (bytes.length % 4);
  if (whole > 0) device.buffers.write(to, bytes.subarray(0, whole), offset);
  if (whole === bytes.length) return;
  const last = new Uint8Array(4);
  last.set(bytes.subarray(whole));
  device.buffers.write(to, last, offset + whole);
}
