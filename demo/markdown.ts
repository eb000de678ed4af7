// Model text to DOM nodes, piece by piece, without HTML parsing: streaming-markdown with elements of our choosing.
// Model text is untrusted: links go only to http, https and mailto, and images become links, so showing an answer requests nothing.
import {
  type Any_Renderer,
  Attr,
  attr_to_html_attr,
  parser as createParser,
  parser_end,
  parser_write,
  Token,
} from "streaming-markdown";

const SAFE_PROTOCOLS: readonly string[] = ["http:", "https:", "mailto:"];

const ELEMENTS: Partial<Record<Token, string>> = {
  [Token.Paragraph]: "p",
  // The page has its own h1 and h2.
  [Token.Heading_1]: "h3",
  [Token.Heading_2]: "h4",
  [Token.Heading_3]: "h5",
  [Token.Heading_4]: "h6",
  [Token.Heading_5]: "h6",
  [Token.Heading_6]: "h6",
  [Token.Italic_Ast]: "em",
  [Token.Italic_Und]: "em",
  [Token.Strong_Ast]: "strong",
  [Token.Strong_Und]: "strong",
  [Token.Strike]: "s",
  [Token.Code_Inline]: "code",
  [Token.Code_Block]: "code",
  [Token.Code_Fence]: "code",
  [Token.Link]: "a",
  [Token.Raw_URL]: "a",
  [Token.Image]: "a",
  [Token.Blockquote]: "blockquote",
  [Token.Line_Break]: "br",
  [Token.Rule]: "hr",
  [Token.List_Unordered]: "ul",
  [Token.List_Ordered]: "ol",
  [Token.List_Item]: "li",
  [Token.Checkbox]: "input",
  [Token.Table]: "table",
  [Token.Table_Row]: "tr",
  [Token.Table_Cell]: "td",
};

/** A growing answer: `element` is shown, `write` adds text, `end` closes what is still open. */
export interface MarkdownView {
  readonly element: HTMLElement;
  write(text: string): void;
  end(): void;
}

export function createMarkdownView(): MarkdownView {
  const element = document.createElement("div");
  element.className = "markdown";
  const parser = createParser(createRenderer(element));
  return {
    element,
    write: (text) => parser_write(parser, text),
    end: () => parser_end(parser),
  };
}

/** The URL if a link to it is harmless. */
export function safeUrl(url: string): string | undefined {
  // Browsers drop control characters and spaces before they look for the scheme; URL does the same.
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  return parsed !== undefined && SAFE_PROTOCOLS.includes(parsed.protocol) ? parsed.href : undefined;
}

function createRenderer(root: HTMLElement): Any_Renderer {
  const open: HTMLElement[] = [root];
  const top = () => open.at(-1)!;
  return {
    data: undefined,
    add_token(_, type: Token) {
      if (type === Token.Document) return;
      const child = createElement(type, top());
      parentFor(type, top()).append(child);
      open.push(child);
    },
    end_token() {
      if (open.length > 1) open.pop();
    },
    add_text(_, text: string) {
      top().append(text);
    },
    set_attr(_, type: Attr, value: string) {
      setAttribute(top(), type, value);
    },
  };
}

function createElement(type: Token, parent: HTMLElement): HTMLElement {
  if (type === Token.Table_Cell && parent.parentElement?.tagName === "THEAD") return document.createElement("th");
  const element = document.createElement(ELEMENTS[type] ?? "span"); // formulas stay text
  if (element instanceof HTMLInputElement) {
    element.type = "checkbox";
    element.disabled = true;
    element.setAttribute("aria-label", "task");
  }
  return element;
}

/** Where the new element goes: code gets a `pre` around it, rows a table head or body. */
function parentFor(type: Token, parent: HTMLElement): HTMLElement {
  if (type === Token.Code_Block || type === Token.Code_Fence) {
    const block = document.createElement("pre");
    block.tabIndex = 0; // wide code scrolls, also by keyboard
    parent.append(block);
    return block;
  }
  if (type === Token.Table_Row) {
    const last = parent.lastElementChild;
    if (last instanceof HTMLElement && last.tagName === "TBODY") return last;
    const group = document.createElement(last === null ? "thead" : "tbody");
    parent.append(group);
    return group;
  }
  return parent;
}

function setAttribute(element: HTMLElement, type: Attr, value: string): void {
  if (type === Attr.Href || type === Attr.Src) {
    const url = safeUrl(value);
    if (url === undefined) return;
    element.setAttribute("href", url);
    element.setAttribute("rel", "noopener noreferrer");
    element.setAttribute("target", "_blank");
    // An image of which the text says nothing still shows where it would have come from.
    if (type === Attr.Src && element.textContent === "") element.append(url);
    return;
  }
  if (type === Attr.Checked) {
    if (element instanceof HTMLInputElement) element.checked = true;
    return;
  }
  element.setAttribute(attr_to_html_attr(type), value);
}
