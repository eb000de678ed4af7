// Model text is untrusted: whatever it says, and wherever the stream cuts it, it runs nothing, asks for nothing, and links
// only to http, https and mailto.
import { describe, expect, test } from "vitest";
import { hasBrowser, openPage, useStage } from "./harness.ts";
import type {} from "./page/page.ts";

const SCRIPT = "parent.ran=1";
const HTML = [
  `<script>${SCRIPT}</script>`,
  `<img src=x onerror="${SCRIPT}">`,
  `<svg onload="${SCRIPT}"><animate onbegin="${SCRIPT}"/></svg>`,
  `<iframe srcdoc="<script>${SCRIPT}</script>"></iframe>`,
  `<a href="javascript:${SCRIPT}">x</a>`,
  `<details open ontoggle="${SCRIPT}">`,
  `<math><mtext></table><mglyph><style><img src=x onerror=${SCRIPT}>`,
  `<form action="https://evil.example"><button>x`,
  `<link rel=stylesheet href=https://evil.example/a.css>`,
  `<base href=https://evil.example>`,
  `<meta http-equiv=refresh content="0;url=https://evil.example">`,
  "`<b onclick=x>`",
  `</div></body><script>${SCRIPT}</script>`,
];
const URLS = [
  "javascript:parent.ran=1",
  "JaVaScRiPt:parent.ran=1",
  " javascript:parent.ran=1",
  "\tjavascript:parent.ran=1",
  "java\tscript:parent.ran=1",
  "\u0001javascript:parent.ran=1",
  "vbscript:x",
  "data:text/html,<script>1</script>",
  "data:image/svg+xml,<svg onload=1>",
  "blob:https://evil.example/1",
  "file:///etc/passwd",
  "filesystem:https://evil.example/x",
  "about:blank",
  "view-source:https://evil.example",
  "chrome://settings",
  "//evil.example/x",
  "/relative",
  'https://evil.example/"onclick="x',
];
const PAYLOADS = [
  ...HTML,
  ...HTML.map((html) => `> - **${html}**\n\n| a |\n|---|\n| ${html} |\n`),
  ...URLS.flatMap((url) => [
    `[link](${url})`,
    `![image](${url})`,
    `[![both](${url})](${url})`,
    `<${url}>`,
    `bare ${url} text`,
    `[ref]: ${url}\n\n[ref]`,
    `- [ ] [task](${url})`,
    `| head |\n|---|\n| [cell](${url}) |\n`,
  ]),
  "![](https://evil.example/pixel.png)",
  '![alt](https://evil.example/pixel.png "title")',
  "$$\\href{javascript:parent.ran=1}{x}$$ and $\\url{javascript:1}$",
  "```html onclick=x\n<script>parent.ran=1</script>\n```",
];

describe.skipIf(!hasBrowser)("markdown", () => {
  const stage = useStage({ webgpu: false });

  test(`${PAYLOADS.length} hostile answers, whole and cut everywhere, leave nothing alive`, async () => {
    const { page, faults, requests } = await openPage(stage.context, `${stage.site.url}page/`);
    await page.waitForFunction(() => globalThis.ingle !== undefined);
    const before = requests.length;
    const found = await page.evaluate(async (payloads) => {
      const allowed = ["P", "H3", "H4", "H5", "H6", "EM", "STRONG", "S", "CODE", "PRE", "A", "BLOCKQUOTE", "BR", "HR"];
      allowed.push("UL", "OL", "LI", "INPUT", "TABLE", "THEAD", "TBODY", "TR", "TH", "TD", "SPAN");
      const attributes = ["href", "rel", "target", "class", "start", "type", "disabled", "aria-label", "tabindex"];
      const problems: string[] = [];
      for (const payload of payloads) {
        for (const size of [1, 2, 7, payload.length]) {
          const view = globalThis.ingle.createMarkdownView();
          document.body.append(view.element);
          for (let at = 0; at < payload.length; at += size) view.write(payload.slice(at, at + size));
          view.end();
          for (const element of view.element.querySelectorAll("*")) {
            const bad = element.getAttributeNames().filter((name) => !attributes.includes(name));
            if (!allowed.includes(element.tagName) || bad.length > 0) problems.push(element.outerHTML);
            const href = element.getAttribute("href");
            if (href !== null && !/^(https?|mailto):/.test(href)) problems.push(element.outerHTML);
          }
          await new Promise((resolve) => setTimeout(resolve, 0));
          view.element.remove();
        }
      }
      return { problems, ran: "ran" in globalThis };
    }, PAYLOADS);
    expect(found).toEqual({ problems: [], ran: false });
    expect(requests.slice(before)).toEqual([]);
    expect(faults).toEqual([]);
  });

  test("ordinary markdown comes out as it is meant", async () => {
    const { page } = await openPage(stage.context, `${stage.site.url}page/`);
    await page.waitForFunction(() => globalThis.ingle !== undefined);
    const html = await page.evaluate(() => {
      const view = globalThis.ingle.createMarkdownView();
      const text =
        "# Head\n\nA **bold** [link](https://example.org/a) and ![picture](https://example.org/b.png).\n\n1. one\n2. two\n";
      for (const character of text) view.write(character);
      view.end();
      return view.element.innerHTML;
    });
    const safe = 'rel="noopener noreferrer" target="_blank"';
    expect(html).toBe(
      `<h3>Head</h3><p>A <strong>bold</strong> <a href="https://example.org/a" ${safe}>link</a> and ` +
        `<a href="https://example.org/b.png" ${safe}>picture</a>.</p><ol><li>one</li><li>two</li></ol>`,
    );
  });
});
