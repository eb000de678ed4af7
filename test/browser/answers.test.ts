// Answers as a visitor meets them: tokens and their alternatives, several side by side, requests to copy, and errors that
// name their setting. The engine is scripted: what is tested is the page.
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { hasBrowser, openPage, screenshot, useStage } from "./harness.ts";
import type {} from "./page/page.ts";
import type { ScriptedPiece, ScriptedToken } from "./page/scripted-demo.ts";

const word = (token: string, probability: number, alternatives: ScriptedToken["alternatives"] = []): ScriptedToken => ({
  token,
  probability,
  alternatives,
});

/** Every kind of token there is, and every band. */
const SHORT: readonly ScriptedToken[] = [
  word("Paris", 0.97, [["The", 0.02], ["France", 0.004]]),
  word(" is", 0.71, [[",", 0.2], [" has", 0.03]]),
  word(" the", 0.42, [[" a", 0.3]]),
  word(" capital", 0.18, [[" city", 0.4], [" heart", 0.2], [" most", 0.1], [" largest", 0.05]]),
  word(" of", 0.99),
  word(" cafés", 0.004, [[" France", 0.99]]),
  word(".\n\n", 0.05, [["!", 0.6]]),
  word("\t", 0.35),
  word("Bon", 0.62),
  word(" appétit", 0.93),
]; // biome-ignore format: one row a token
const EMOJI: readonly ScriptedToken[] = [
  { token: [0x20, 0xf0, 0x9f], probability: 0.3, alternatives: [["!", 0.5]] },
  { token: [0x98, 0x80], probability: 0.8, alternatives: [[[0x98, 0x8d], 0.15]] },
];
const textOf = (tokens: readonly ScriptedToken[]) =>
  new TextDecoder().decode(
    Uint8Array.from(
      tokens.flatMap(({ token }) => (typeof token === "string" ? [...new TextEncoder().encode(token)] : token)),
    ),
  );
const pieceOf = (choice: number, ...tokens: readonly ScriptedToken[]): ScriptedPiece => ({
  choice,
  content: textOf(tokens),
  tokens,
});
const ONE = [...SHORT.map((token) => pieceOf(0, token)), pieceOf(0, ...EMOJI)];

describe.skipIf(!hasBrowser)("answers", () => {
  const stage = useStage({ webgpu: false, context: { viewport: { width: 1280, height: 800 } } });

  async function openAnswer(pieces: readonly ScriptedPiece[], choices = 1) {
    const { page, faults } = await openPage(stage.context, `${stage.site.url}page/`);
    await page.waitForFunction(() => globalThis.ingle !== undefined);
    await page.evaluate(([pieces, choices]) => globalThis.ingle.openScriptedDemo(pieces, choices), [
      pieces,
      choices,
    ] as const);
    await page.locator("article.assistant:not([aria-busy=true])").waitFor();
    return { page, faults };
  }
  const open = (page: Page) => page.locator(".alternatives:popover-open");

  test("tokens are named with their probability, and join to the answer's text", async () => {
    const { page, faults } = await openAnswer(ONE);
    await page
      .getByRole("option")
      .nth(SHORT.length + EMOJI.length - 1)
      .waitFor(); // drawn with the next frames
    const names = await page.getByRole("option").evaluateAll((options) => options.map((option) => option.ariaLabel));
    expect(names).toEqual([
      "Paris, 97.0%", "is, 71.0%", "the, 42.0%", "capital, 18.0%", "of, 99.0%", "cafés, 0.40%",
      ". line break line break, 5.0%", "tab, 35.0%", "Bon, 62.0%", "appétit, 93.0%", "space bytes F0 9F, 30.0%", "😀, 80.0%",
    ]); // biome-ignore format: as they are read
    await page.getByRole("button", { name: "Text", exact: true }).click();
    expect(await page.locator(".markdown > *").allTextContents()).toEqual([
      "Paris is the capital of cafés.",
      "Bon appétit 😀",
    ]);
    expect(await page.getByRole("option").count()).toBe(0);
    await page.getByRole("button", { name: "Tokens" }).click();
    await page
      .getByRole("option")
      .nth(names.length - 1)
      .waitFor(); // drawn with the next frames
    expect(await page.getByRole("option").count()).toBe(names.length);
    expect(faults).toEqual([]);
  });

  test("one token is reached by Tab, the others by the arrow keys, and each tells its alternatives; Escape closes them", async () => {
    const { page, faults } = await openAnswer(ONE);
    const focused = () => page.evaluate(() => document.activeElement?.ariaLabel);
    await page.locator("[role=option][tabindex='0']").focus();
    expect(await page.locator("[role=option][tabindex='0']").count()).toBe(1);
    await open(page).waitFor();
    for (const [key, name] of [
      ["ArrowRight", "is, 71.0%"],
      ["End", "😀, 80.0%"],
      ["Home", "Paris, 97.0%"],
      ["ArrowDown", "tab, 35.0%"],
      ["ArrowUp", "Paris, 97.0%"],
    ] as const) {
      await page.keyboard.press(key);
      expect(await focused()).toBe(name);
    }
    const described = await page.evaluate(() => document.activeElement?.getAttribute("aria-describedby"));
    expect(await page.locator(`#${described} :is(li, p)`).allTextContents()).toEqual([
      "Paris 97.0% chosen",
      "The 2.0%",
      "France 0.40%",
      "all others 0.60%",
    ]);
    await page.keyboard.press("Escape");
    expect(await open(page).count()).toBe(0);
    expect(await page.locator("#settings").isVisible()).toBe(true); // Escape did nothing else
    await page.keyboard.press("ArrowRight");
    await open(page).waitFor();
    await page.keyboard.press("Tab");
    expect(await open(page).count()).toBe(0);
    expect(faults).toEqual([]);
  });

  test("the pointer opens alternatives, may go over to them, and closes them by leaving", async () => {
    const { page } = await openAnswer(ONE);
    await page.getByRole("option", { name: "capital" }).hover();
    await open(page).waitFor();
    expect(await open(page).locator("li.chosen").textContent()).toContain("18.0%");
    await open(page).hover();
    await page.locator("h1").hover();
    await open(page).waitFor({ state: "hidden" });
  });

  test("2,000 tokens grow without any of them being drawn again", async () => {
    const { page, faults } = await openPage(stage.context, `${stage.site.url}page/`);
    await page.waitForFunction(() => globalThis.ingle !== undefined);
    const pieces = Array.from({ length: 2_000 }, (_, at) =>
      pieceOf(0, word(at % 40 === 39 ? ".\n" : ` w${at}`, 1 / (1 + (at % 9)))),
    );
    const removed = await page.evaluate(async (pieces) => {
      let removed = 0;
      const observer = new MutationObserver((records) => {
        for (const { target, removedNodes } of records)
          if (target instanceof Element && target.closest(".tokens")) removed += removedNodes.length;
      });
      observer.observe(document, { childList: true, subtree: true });
      await globalThis.ingle.openScriptedDemo(pieces, 1);
      return removed;
    }, pieces);
    await expect.poll(() => page.getByRole("option").count()).toBe(2_000);
    expect({ removed, faults }).toEqual({ removed: 0, faults: [] });
  });

  const THREE = ["Paris is the capital of France.", "It is a *city*.", "The city of light, on the Seine."].flatMap(
    (text, choice) => text.split(/(?= )/).map((content) => ({ choice, content })),
  );

  test("several answers stand side by side, and the conversation goes on from the one that was picked", async () => {
    const { page, faults } = await openAnswer(THREE, 3);
    const answers = page.locator(".choice");
    expect(await answers.locator(".markdown").allInnerTexts()).toEqual([
      "Paris is the capital of France.",
      "It is a city.",
      "The city of light, on the Seine.",
    ]);
    expect((await answers.locator(".figures").allInnerTexts()).map((text) => text.split(" · ")[0])).toEqual([
      "finished",
      "cut at the token limit",
      "finished",
    ]);
    const radios = page.getByRole("radio");
    expect(await radios.evaluateAll((all) => all.map((radio) => (radio as HTMLInputElement).checked))).toEqual([
      true,
      false,
      false,
    ]);
    await radios.nth(2).check();
    await page.getByLabel("Message", { exact: true }).fill("And then?");
    await page.keyboard.press("Enter");
    await expect.poll(() => page.evaluate(() => globalThis.scriptedRequests.length)).toBe(2);
    expect(await page.evaluate(() => globalThis.scriptedRequests[1])).toMatchObject({
      n: 3,
      messages: [
        { role: "user", content: "Tell me about Paris." },
        { role: "assistant", content: "The city of light, on the Seine." },
        { role: "user", content: "And then?" },
      ],
    });
    expect(await radios.first().isDisabled()).toBe(true);
    expect(faults).toEqual([]);
  });

  test("a request is copied with a word of confirmation, and shown to be copied by hand where the clipboard is denied", async () => {
    const { page, faults } = await openAnswer(ONE);
    await stage.context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.getByRole("button", { name: "Copy as curl" }).click();
    await page.getByText("Copied", { exact: true }).waitFor();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toMatch(/^curl .*"logprobs": true/s);
    await page.evaluate(() => {
      navigator.clipboard.writeText = () => Promise.reject(new DOMException("denied", "NotAllowedError"));
    });
    await page.getByRole("button", { name: "Copy as SDK code" }).click();
    const dialog = page.getByRole("dialog", { name: "Copy as SDK code" });
    await dialog.waitFor();
    expect(await page.evaluate(() => String(getSelection()))).toMatch(/^import .*create\(\{/s);
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    expect(await page.locator("#settings").isVisible()).toBe(true);
    expect(faults).toEqual([]);
  });

  test("an error names its field, marks the setting, and leads there; a change takes the mark away", async () => {
    const { page } = await openAnswer(ONE);
    await page.getByText("More sampling").click();
    const field = page.getByLabel("Logit bias");
    await field.fill("one two");
    await field.blur();
    await page.getByText("More sampling").click();
    await page.getByLabel("Message", { exact: true }).fill("Go on.");
    await page.keyboard.press("Enter");
    const alert = page.getByRole("alert");
    await alert.waitFor();
    expect(await alert.textContent()).toContain("logit_bias");
    await alert.getByRole("button", { name: "Logit bias" }).click();
    await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe("logit_bias");
    expect(await field.getAttribute("aria-invalid")).toBe("true");
    await screenshot(page, "error-desktop-light");
    await field.fill("7 -100");
    await field.blur();
    await expect.poll(() => field.getAttribute("aria-invalid")).toBe("false");
  });

  test.each([
    { name: "desktop", viewport: { width: 1280, height: 800 } },
    { name: "phone", viewport: { width: 390, height: 844 } },
  ])("fits a $name, by day and by night", async ({ name, viewport }) => {
    const many = [0, 1, 2].flatMap((choice) => [...ONE, ...ONE].map((piece) => ({ ...piece, choice })));
    for (const [what, pieces, choices] of [
      ["tokens", ONE, 1],
      ["choices", many, 3],
    ] as const) {
      const { page } = await openAnswer(pieces, choices);
      await page.setViewportSize(viewport);
      const token = page.getByRole("option", { name: "capital" }).first();
      await expect.poll(() => page.locator("#settings").isVisible()).toBe(name === "desktop");
      await token.focus();
      await open(page).waitFor();
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        await screenshot(page, `${what}-${name}-${colorScheme}`);
      }
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
      await page.close();
    }
  });
});
