// The demo as a visitor meets it, with a tiny random model: what it says is gibberish without end.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { demoOf, fixturePath, hasBrowser, openPage, screenshot, useStage } from "./harness.ts";

const TINY = "?model=/fixtures/tiny.gguf";

describe.skipIf(!hasBrowser)("demo", () => {
  const stage = useStage({ context: { viewport: { width: 1280, height: 800 } } });

  async function openDemo(query = TINY) {
    const opened = await openPage(stage.context, `${stage.site.url}${query}`);
    return { ...opened, demo: demoOf(opened.page) };
  }

  test("answers, and says how fast; no error, no violation, no other origin", async () => {
    const { page, demo, faults } = await openDemo();
    await demo.ready();
    await demo.set("Most tokens in an answer", "24");
    await demo.set("Temperature", "0");
    await demo.send("hello");
    await demo.answer("cut");
    const figures = await page.locator(".figures").last().textContent();
    expect(figures).toMatch(/\d tokens\/s · first token after [\d.]+ m?s · \d+ tokens/);
    expect(await page.getByLabel("About the model").textContent()).toMatch(/tiny llama[\s\S]*SwiftShader/i);
    expect(faults).toEqual([]);
  });

  test("generating asks the network for nothing", async () => {
    const { demo, requests } = await openDemo();
    await demo.ready();
    const before = requests.length;
    await demo.set("Most tokens in an answer", "8");
    await demo.send("hello");
    await demo.answer("cut");
    expect(requests.slice(before)).toEqual([]);
  });

  test("the same seed gives the same answer, another seed another", async () => {
    const { page, demo } = await openDemo();
    await demo.ready();
    await demo.set("Most tokens in an answer", "24");
    await demo.set("Temperature", "1");
    const answers: string[] = [];
    for (const seed of ["7", "7", "8"]) {
      await demo.set("Seed", seed);
      await demo.send("hello");
      answers.push(await demo.answer("cut"));
      await page.getByRole("button", { name: "New chat" }).click();
      await expect.poll(() => page.locator("article").count()).toBe(0);
    }
    expect(answers[1]).toBe(answers[0]);
    expect(answers[2]).not.toBe(answers[0]);
  });

  test("with token probabilities an answer is shown as its tokens, and their texts are the answer", async () => {
    const { page, demo, faults } = await openDemo();
    await demo.ready();
    await demo.set("Most tokens in an answer", "8");
    await page.getByLabel("Token probabilities").check();
    await demo.set("Alternatives per token", "3");
    await demo.send("hello");
    await page.locator("article.assistant[data-state=cut]").waitFor();
    const tokens = await page.getByRole("option").allTextContents();
    expect(tokens).toHaveLength(8);
    await page.getByRole("option").first().focus();
    expect(await page.locator(".alternatives:popover-open li").count()).toBeGreaterThanOrEqual(3);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Text", exact: true }).click();
    expect(await demo.answer("cut")).toBe(tokens.join("").trim());
    expect(faults).toEqual([]);
  });

  test("a request that the engine refuses names the field, and marks its setting", async () => {
    const { page, demo } = await openDemo();
    await demo.ready();
    await page.getByText("More sampling").click();
    await demo.set("Logit bias", "999999 1");
    await demo.send("hello");
    const alert = page.getByRole("alert");
    await alert.waitFor();
    expect(await alert.textContent()).toMatch(/Field logit_bias\.999999/);
    expect(await page.getByLabel("Logit bias").getAttribute("aria-invalid")).toBe("true");
  });

  test("stop ends an answer and keeps its text, by button and by Escape", async () => {
    const { page, demo, faults } = await openDemo();
    await demo.ready();
    // So that only stopping ends it.
    await demo.set("Most tokens in an answer", "900");
    for (const stop of [
      () => page.getByRole("button", { name: "Stop" }).click(),
      () => page.keyboard.press("Escape"),
    ]) {
      await demo.send("hello");
      await demo.answer("streaming");
      await stop();
      await demo.answer("stopped");
      await page.getByRole("button", { name: "Send" }).waitFor();
    }
    expect(await page.locator(".figures").last().textContent()).toContain("stopped");
    expect(faults).toEqual([]);
  });

  test("a reload reads the model from storage, without its URL", async () => {
    const { page, demo } = await openDemo();
    await demo.ready();
    await stage.context.route(
      (url) => url.pathname.startsWith("/fixtures/"),
      (route) => route.abort(),
    );
    await page.reload();
    await demo.ready();
    await demo.set("Most tokens in an answer", "4");
    await demo.send("hello");
    await demo.answer("cut");
  });

  test("a file from disk opens by picker and by drop", async () => {
    const { page, demo, faults } = await openDemo();
    await demo.ready();
    const path = fixturePath("tiny.gguf");
    await page.getByLabel("Open model").setInputFiles(path);
    await page.getByRole("heading", { name: "Kindling" }).waitFor({ state: "detached" });
    await demo.ready();

    const base64 = readFileSync(path).toString("base64");
    await page.evaluate((text) => {
      const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
      const data = new DataTransfer();
      data.items.add(new File([bytes], "dropped.gguf"));
      document.body.dispatchEvent(new DragEvent("dragover", { dataTransfer: data, bubbles: true, cancelable: true }));
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
    }, base64);
    await page.getByText("Kindling dropped.gguf").waitFor();
    await demo.ready();
    expect(faults).toEqual([]);
  });

  test("what is no model is refused in words, and the page goes on", async () => {
    const { page, demo } = await openDemo();
    await demo.ready();
    const page404 = { name: "page.gguf", mimeType: "text/html", buffer: Buffer.from("<!doctype html>".repeat(99)) };
    await page.getByLabel("Open model").setInputFiles(page404);
    const alert = page.getByRole("alert");
    await alert.waitFor();
    expect(await alert.getAttribute("data-code")).toBe("model_malformed");
    await page.getByLabel("Open model").setInputFiles(fixturePath("tiny.gguf"));
    await demo.ready();
  });

  test("a model that is not there says so", async () => {
    const { page } = await openDemo("?model=/fixtures/absent.gguf");
    const alert = page.getByRole("alert");
    await alert.waitFor();
    expect(await alert.getAttribute("data-code")).toBe("download_failed");
    expect(await alert.textContent()).toContain("404");
    await page.getByRole("button", { name: "Try again" }).waitFor();
  });

  test("everything can be reached and done by keyboard alone, and every control has a name", async () => {
    const { page, demo } = await openDemo();
    await demo.ready();
    const names = new Set<string>();
    for (let i = 0; i < 30; i++) {
      await page.keyboard.press("Tab");
      names.add(
        await page.evaluate(() => {
          const focused = document.activeElement as HTMLElement & { labels?: NodeListOf<HTMLLabelElement> };
          return (focused.labels?.[0]?.textContent ?? focused.ariaLabel ?? focused.textContent ?? "").trim();
        }),
      );
    }
    const controls = [
      "Open model",
      "Settings",
      "Close",
      "Message",
      "Send",
      "System prompt",
      "Temperature",
      "Top-p",
      "Seed",
    ];
    for (const name of controls) expect([...names]).toContain(name);
    const unnamed = await page.evaluate(() =>
      [...document.querySelectorAll<HTMLInputElement>("button, input, textarea")]
        .filter((control) => !control.labels?.length && control.textContent === "" && !control.ariaLabel)
        .map((control) => control.outerHTML),
    );
    expect(unnamed).toEqual([]);
  });

  test("on a phone the settings take the focus, and give it back", async () => {
    const { page, demo } = await openDemo();
    await page.setViewportSize({ width: 390, height: 844 });
    await demo.ready();
    const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim());
    for (const close of ["Escape", "Enter"]) {
      await page.getByRole("button", { name: "Settings" }).press("Enter");
      await expect.poll(focused).toBe("Close");
      await page.keyboard.press(close);
      await expect.poll(focused).toBe("Settings");
    }
  });

  test.each([
    { name: "desktop", viewport: { width: 1280, height: 800 } },
    { name: "phone", viewport: { width: 390, height: 844 } },
  ])("fits a $name, by day and by night", async ({ name, viewport }) => {
    const { page, demo } = await openDemo();
    await page.setViewportSize(viewport);
    await demo.ready();
    if (name === "phone") await page.getByRole("button", { name: "Settings" }).click();
    await demo.set("Most tokens in an answer", "24");
    if (name === "phone") await page.getByRole("button", { name: "Close" }).click();
    await demo.send("hello");
    await demo.answer("cut");
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await screenshot(page, `${name}-${colorScheme}`);
    }
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
  });
});
