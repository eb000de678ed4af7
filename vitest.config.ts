import { defineConfig } from "vitest/config";

const exclude = ["**/node_modules/**"];
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: [...exclude, "test/gpu/**", "test/browser/**"],
          testTimeout: 60_000,
        },
      },
      {
        // Dawn in Node: one process a file, so that a crash of the driver is named and contained.
        test: {
          name: "gpu",
          include: ["test/gpu/**/*.test.ts"],
          pool: "forks",
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
