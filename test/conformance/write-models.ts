// Writes the tiny models as files for goldens.py: node scripts/run.mjs ../test/conformance/write-models FOLDER
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tinyModel } from "../fixtures/tiny-models.ts";
import { GOLDEN_POSITIONS, MODELS, TOKENS } from "./models.ts";

export async function main([folder]: string[]): Promise<void> {
  if (folder === undefined) throw new Error("usage: write-models FOLDER");
  await mkdir(folder, { recursive: true });
  const files = await Promise.all(
    MODELS.map(async ({ name, options }, index) => {
      const file = `${index}.gguf`;
      await writeFile(join(folder, file), tinyModel(options));
      return { name, file };
    }),
  );
  await writeFile(join(folder, "models.json"), JSON.stringify({ tokens: TOKENS, positions: GOLDEN_POSITIONS, files }));
}
