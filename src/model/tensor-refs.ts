// The tensors of a file, asked for by name and shape: every answer is checked, so that a spec in hand means a file that
// can be loaded. Reads the header only, never a weight.
import { EngineError } from "../base/errors.ts";
import type { Gguf, TensorInfo } from "../gguf/gguf.ts";
import type { TensorFormat } from "../gguf/tensor-types.ts";
import { formatOf, SUPPORTED_FORMATS } from "../quant/formats.ts";
import type { LinearSpec, MatrixRef, VectorRef } from "./spec.ts";

/** Norms and biases stay in f32 on the GPU; files store them in a float format. */
const VECTOR_FORMATS: readonly TensorFormat[] = ["F32", "F16", "BF16"];
/** Kernels read weights in groups of 32 along a row. */
const COLUMN_GROUP = 32;

export interface TensorRefs {
  has(tensor: string): boolean;
  /** Rows of a matrix that nothing else tells. */
  rowsOf(tensor: string): number;
  matrix(tensor: string, rows: number, columns: number): MatrixRef;
  vector(tensor: string, length: number): VectorRef;
  optionalVector(tensor: string, length: number): VectorRef | undefined;
  /** `NAME.weight`, [rows, columns], and `NAME.bias` where there is one. */
  linear(name: string, rows: number, columns: number): LinearSpec;
  /** Names of tensors that nobody asked for. */
  unread(): string[];
}

/** Answers throw `model_malformed` for a missing tensor or another shape, `unsupported_format` for one without kernels. */
export function createTensorRefs(tensors: Gguf["tensors"]): TensorRefs {
  const read = new Set<string>();

  function find(tensor: string): TensorInfo {
    const info = tensors.get(tensor);
    if (!info)
      throw new EngineError("model_malformed", `The file has no tensor "${tensor}", which its architecture needs.`, {
        details: { offset: 0, rule: `tensor ${tensor} is present` },
      });
    read.add(tensor);
    return info;
  }

  function matrix(tensor: string, rows: number, columns: number): MatrixRef {
    const info = find(tensor);
    expectShape(info, [columns, rows]);
    if (!formatOf(info.format))
      throw unsupportedFormat(
        info,
        SUPPORTED_FORMATS.map(({ name }) => name),
      );
    if (columns % COLUMN_GROUP !== 0)
      throw new EngineError(
        "unsupported_format",
        `Tensor "${tensor}" has rows of ${columns} weights; kernels need a multiple of ${COLUMN_GROUP}.`,
        { details: { tensor, format: info.format } },
      );
    return { tensor, rows, columns, format: info.format };
  }

  function vector(tensor: string, length: number): VectorRef {
    const info = find(tensor);
    expectShape(info, [length]);
    if (!VECTOR_FORMATS.includes(info.format)) throw unsupportedFormat(info, VECTOR_FORMATS);
    return { tensor, length, format: info.format };
  }

  const optionalVector = (tensor: string, length: number) => (tensors.has(tensor) ? vector(tensor, length) : undefined);

  return {
    has: (tensor) => tensors.has(tensor),
    rowsOf: (tensor) => find(tensor).shape[1] ?? 1,
    matrix,
    vector,
    optionalVector,
    linear(name, rows, columns) {
      const bias = optionalVector(`${name}.bias`, rows);
      return { weight: matrix(`${name}.weight`, rows, columns), ...(bias && { bias }) };
    },
    unread: () => [...tensors.keys()].filter((name) => !read.has(name)),
  };
}

function expectShape(info: TensorInfo, expected: readonly number[]): void {
  const { shape } = info;
  const fits =
    expected.every((size, axis) => shape[axis] === size) && shape.slice(expected.length).every((n) => n === 1);
  if (!fits)
    throw new EngineError(
      "model_malformed",
      `Tensor "${info.name}" has the shape [${shape.join(", ")}]; the model's sizes make it [${expected.join(", ")}].`,
      { details: { offset: info.offset, rule: `shape of ${info.name} is [${expected.join(", ")}]` } },
    );
}

function unsupportedFormat(info: TensorInfo, supported: readonly string[]): EngineError {
  return new EngineError(
    "unsupported_format",
    `Tensor "${info.name}" is stored as ${info.format}; supported here: ${supported.join(", ")}.`,
    { details: { tensor: info.name, format: info.format } },
  );
}
