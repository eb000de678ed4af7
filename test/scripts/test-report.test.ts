import { expect, test } from "vitest";
import { addCounts, countTests, readVitestCounts } from "../../scripts/test-report.ts";

const file = (status: string, ...statuses: string[]) => ({
  status,
  assertionResults: statuses.map((each) => ({ status: each })),
});

test("each test counts once, whatever kept it from running", () => {
  const testResults = [file("passed", "passed", "skipped", "pending", "todo"), file("failed", "failed", "passed")];
  expect(countTests({ testResults })).toEqual({ passed: 2, failed: 1, skipped: 3 });
});

test("a file that fails before its first test is a failure", () => {
  expect(countTests({ testResults: [file("failed")] })).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

test("a run that dies without a report is a failure", () => {
  expect(readVitestCounts("/nowhere/report.json", 139)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

test("counts add up", () => {
  const one = { passed: 1, failed: 2, skipped: 3 };
  expect(addCounts(one, one)).toEqual({ passed: 2, failed: 4, skipped: 6 });
});
