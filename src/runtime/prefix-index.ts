// Which pages hold which prefixes: a tree of full pages by their tokens. Whoever starts with the same tokens finds them again;
// whoever needs memory drops the ones that nobody has used for longest.

import type { PrefixMatch } from "./runtime.ts";

/** How keys and values came to be: decode's bits may differ from prefill's. */
export type Made = "prefill" | "decode";

/** A full page that is known by its tokens and by all before them. */
export interface PageNode {
  readonly page: number;
  readonly made: Made;
  readonly parent: PageNode | undefined;
  readonly isolation: string;
  readonly key: string;
  readonly children: Map<string, PageNode>;
  /** Higher: used later. A node is never older than those below it. */
  usedAt: number;
  /** Until then others go first; milliseconds of the clock that `protect` is given. */
  protectedUntil: number;
  /** No longer in the tree. */
  dropped: boolean;
}

export interface PrefixIndex {
  readonly size: number;
  count(which: (node: PageNode) => boolean): number;
  /** The longest path of whole pages that `ids` begin with. */
  find(ids: ArrayLike<number>, search: Pick<PrefixMatch, "isolation" | "exact">): PageNode[];
  /**
   * Takes note of a page. Undefined when it cannot be found under these parents, because one was dropped.
   * @param path the nodes of the pages before it
   * @param ids the page's own
   */
  add(
    path: readonly (PageNode | undefined)[],
    ids: readonly number[],
    page: number,
    made: Made,
    isolation: string,
  ): PageNode | undefined;
  /** They were used just now. */
  touch(path: readonly (PageNode | undefined)[], protectedUntil?: number): void;
  /** The nodes that may go, the next to go first. */
  oldest(mayGo: (node: PageNode) => boolean, now: number): PageNode | undefined;
  /** Removes a node with all below it, and returns them. */
  drop(node: PageNode): PageNode[];
}

export function createPrefixIndex(pageLength: number): PrefixIndex {
  const roots = new Map<string, Map<string, PageNode>>();
  const nodes = new Set<PageNode>();
  let clock = 0;

  return {
    get size() {
      return nodes.size;
    },

    count(which) {
      let count = 0;
      for (const node of nodes) if (which(node)) count++;
      return count;
    },

    find(ids, { isolation, exact }) {
      const path: PageNode[] = [];
      let level = roots.get(isolation);
      for (let start = 0; level && start + pageLength <= ids.length; start += pageLength) {
        const page = Array.prototype.slice.call(ids, start, start + pageLength) as number[];
        const node: PageNode | undefined =
          level.get(keyOf(page, "prefill")) ?? (exact ? undefined : level.get(keyOf(page, "decode")));
        if (!node) break;
        path.push(node);
        level = node.children;
      }
      return path;
    },

    add(path, ids, page, made, isolation) {
      const parent = path.at(-1);
      if (path.length > 0 && (!parent || parent.dropped)) return undefined;
      const siblings = parent?.children ?? roots.get(isolation) ?? new Map<string, PageNode>();
      if (!parent) roots.set(isolation, siblings);
      const key = keyOf(ids, made);
      const known = siblings.get(key);
      if (known) return known;
      const node: PageNode = {
        page,
        made,
        parent,
        isolation,
        key,
        children: new Map(),
        usedAt: clock,
        protectedUntil: 0,
        dropped: false,
      };
      siblings.set(key, node);
      nodes.add(node);
      return node;
    },

    touch(path, protectedUntil = 0) {
      for (const node of [...path].reverse()) {
        if (!node) continue;
        node.usedAt = ++clock;
        node.protectedUntil = Math.max(node.protectedUntil, protectedUntil);
      }
    },

    oldest(mayGo, now) {
      let oldest: PageNode | undefined;
      for (const node of nodes) {
        if (mayGo(node) && (!oldest || goesBefore(node, oldest, now))) oldest = node;
      }
      return oldest;
    },

    drop(node) {
      const siblings = node.parent?.children ?? roots.get(node.isolation);
      siblings?.delete(node.key);
      if (!node.parent && siblings?.size === 0) roots.delete(node.isolation);
      const dropped = [node];
      for (const each of dropped) {
        each.dropped = true;
        nodes.delete(each);
        dropped.push(...each.children.values());
      }
      return dropped;
    },
  };
}

function keyOf(ids: readonly number[], made: Made): string {
  return `${made} ${ids.join(" ")}`;
}

function goesBefore(a: PageNode, b: PageNode, now: number): boolean {
  const [aHeld, bHeld] = [a.protectedUntil > now, b.protectedUntil > now];
  return aHeld === bHeld ? a.usedAt < b.usedAt : bHeld;
}
