// The one table of controls: what a request says for them, and what it leaves out.
import { describe, expect, test } from "vitest";
import { CONTROL_NAMES, CONTROLS, type Control, controlOf } from "../../../demo/settings/controls.ts";
import {
  type ControlValue,
  DEFAULT_SETTINGS,
  faultOf,
  fieldsOf,
  isUsable,
  nearest,
} from "../../../demo/settings/settings.ts";

type Values = typeof DEFAULT_SETTINGS.values;

/** Every control at the value that asks for nothing. */
const ABSENT = Object.fromEntries(
  CONTROL_NAMES.map((name): [string, ControlValue] => {
    const control: Control = CONTROLS[name];
    return [name, control.kind === "number" ? control.absent : control.kind === "switch" ? false : ""];
  }),
) as Values;
const fieldsWith = (values: Partial<Values>) => fieldsOf({ ...ABSENT, ...values });

test("the page starts with what the default model needs, and asks for nothing else", () => {
  expect(fieldsOf(DEFAULT_SETTINGS.values)).toEqual({ temperature: 0.2, top_p: 0.9, max_completion_tokens: 512 });
});

test("a control that is at the field's default is not sent", () => {
  expect(fieldsOf(ABSENT)).toEqual({});
});

test.each<[Partial<Values>, Record<string, unknown>]>([
  [{ temperature: 0 }, { temperature: 0 }],
  [{ top_p: 0 }, { top_p: 0 }],
  [{ n: 8 }, { n: 8 }],
  [{ logprobs: true }, { logprobs: true }],
  [
    { logprobs: true, top_logprobs: 5 },
    { logprobs: true, top_logprobs: 5 },
  ],
  [{ logprobs: false, top_logprobs: 5 }, {}],
  [{ dry_base: 2, dry_allowed_length: 4 }, {}],
  [
    { dry_multiplier: 0.8, dry_base: 2, dry_penalty_last_n: 256 },
    { dry_multiplier: 0.8, dry_base: 2, dry_penalty_last_n: 256 },
  ],
  [{ dry_sequence_breakers: "." }, {}],
  [
    { dry_multiplier: 0.8, dry_sequence_breakers: ".\n\\n" },
    { dry_multiplier: 0.8, dry_sequence_breakers: [".", "\n"] },
  ],
  [{ xtc_threshold: 0.2 }, {}],
  [{ xtc_probability: 0.5 }, { xtc_probability: 0.5 }],
  [
    { xtc_probability: 0.5, xtc_threshold: 0.2 },
    { xtc_probability: 0.5, xtc_threshold: 0.2 },
  ],
  [
    { ignore_eos: true, min_tokens: 3 },
    { min_tokens: 3, ignore_eos: true },
  ],
  [{ seed: " -7 " }, { seed: -7 }],
  [{ seed: "9007199254740991" }, { seed: 9007199254740991 }],
  [{ seed: "9007199254740993" }, { seed: "9007199254740993" }],
  [{ seed: "-9223372036854775808" }, { seed: "-9223372036854775808" }],
  [{ stop: "END\n\n ###" }, { stop: ["END", " ###"] }],
  [{ stop: String.raw`a\nb` + "\n" + String.raw`\\n` + "\n" + String.raw`\t` }, { stop: ["a\nb", "\\n", "\t"] }],
  [{ logit_bias: "1234 -100\n\n 7: 5\n0009=+3\n8 −2" }, { logit_bias: { 1234: -100, 7: 5, 9: 3, 8: -2 } }],
  [{ stop_token_ids: "2, 32000 7" }, { stop_token_ids: [2, 32000, 7] }],
])("%j is sent as %j", (values, fields) => {
  expect(fieldsWith(values)).toEqual(fields);
});

test.each<[Partial<Values>, string]>([
  [{ seed: "abc" }, "seed"],
  [{ seed: "1.5" }, "seed"],
  [{ seed: "1e3" }, "seed"],
  [{ logit_bias: "1 2\nhello" }, "logit_bias"],
  [{ logit_bias: "-1 5" }, "logit_bias"],
  [{ logit_bias: "12" }, "logit_bias"],
  [{ stop_token_ids: "2 </s>" }, "stop_token_ids"],
])("%j cannot be read: the error names the field, and the form shows the same words", (values, field) => {
  const attempt = () => fieldsWith(values);
  expect(attempt).toThrow(expect.objectContaining({ code: "invalid_request", param: field }));
  expect(attempt).toThrow(faultOf(controlOf(field)!, { ...ABSENT, ...values })!);
});

describe("the form", () => {
  test("disables what means nothing yet", () => {
    expect(isUsable("top_logprobs", ABSENT)).toBe(false);
    expect(isUsable("top_logprobs", { ...ABSENT, logprobs: true })).toBe(true);
    expect(isUsable("dry_base", { ...ABSENT, dry_multiplier: 0.5 })).toBe(true);
  });

  test("every need names a control", () => {
    const needs = CONTROL_NAMES.map((name) => (CONTROLS[name] as Control).needs).filter((need) => need !== undefined);
    expect(needs.filter((need) => !(CONTROL_NAMES as readonly string[]).includes(need))).toEqual([]);
  });

  test.each([
    ["temperature", 7, 2],
    ["temperature", 0.33, 0.33],
    ["n", 2.6, 3],
    ["n", 0, 1],
    ["dry_penalty_last_n", -5, -1],
  ] as const)("%s cannot be %d: the nearest is %d", (name, value, kept) => {
    expect(nearest(CONTROLS[name], value)).toBe(kept);
  });

  test.each([
    ["n", "n"],
    ["logit_bias.99999", "logit_bias"],
    ["stop[3]", "stop"],
    ["messages[0].content", undefined],
    ["nothing", undefined],
    [undefined, undefined],
  ])("an error about %s belongs to the control %s", (param, control) => {
    expect(controlOf(param)).toBe(control);
  });
});
