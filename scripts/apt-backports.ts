// Derives where Debian's backports are from the archive that apt already uses, so that a mirror, a proxy or a snapshot is kept.
// Pure: text in, text out. Formats: sources.list(5), one-line and deb822.

export interface AptList {
  path: string;
  text: string;
}

interface AptEntry {
  uri: string;
  suite: string;
  components: readonly string[];
  signedBy: string | undefined;
}

/** True when the lists already name CODENAME-backports. */
export function hasBackports(lists: readonly AptList[], codename: string): boolean {
  return lists.flatMap(parseAptList).some((entry) => entry.suite === `${codename}-backports`);
}

/** A deb822 source for CODENAME-backports of the distribution's own archive, or undefined when no list names that archive. */
export function backportsSource(lists: readonly AptList[], codename: string): string | undefined {
  const entries = lists.flatMap(parseAptList);
  const scored = entries
    .filter((entry) => entry.suite === codename && entry.components.includes("main"))
    .map((entry) => ({ entry, score: distributionScore(entry, entries, codename) }))
    .sort((a, b) => b.score - a.score);
  const best = scored[0];
  // Other vendors too publish a suite called after the codename: without a sign that it is Debian's, take it only if it is alone.
  if (best === undefined || (best.score === 0 && scored.length > 1)) return undefined;
  const signed = best.entry.signedBy === undefined ? "" : `Signed-By: ${best.entry.signedBy}\n`;
  return `Types: deb\nURIs: ${best.entry.uri}\nSuites: ${codename}-backports\nComponents: main\n${signed}`;
}

function distributionScore(entry: AptEntry, all: readonly AptEntry[], codename: string): number {
  const offersUpdates = all.some((other) => other.uri === entry.uri && other.suite === `${codename}-updates`);
  const debianKey = /debian-archive/.test(entry.signedBy ?? "");
  const debianPath = /\/debian\/?$/.test(entry.uri);
  return (debianKey ? 4 : 0) + (offersUpdates ? 2 : 0) + (debianPath ? 1 : 0);
}

export function parseAptList(list: AptList): AptEntry[] {
  return list.path.endsWith(".sources") ? parseDeb822(list.text) : parseOneLine(list.text);
}

function parseOneLine(text: string): AptEntry[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
    if (match === null) return [];
    const [, options = "", uri = "", suite = "", components = ""] = match;
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options)?.[1];
    return [{ uri, suite, components: words(components), signedBy }];
  });
}

function parseDeb822(text: string): AptEntry[] {
  const withoutComments = text.replace(/^#.*\n?/gm, "");
  return withoutComments.split(/\n\s*\n/).flatMap((stanza) => {
    const fields = new Map<string, string>();
    // A line that starts with a space goes on with the field before it; an embedded key keeps its lines that way.
    for (const field of stanza.split(/\n(?![ \t])/)) {
      const colon = field.indexOf(":");
      if (colon > 0) fields.set(field.slice(0, colon).trim().toLowerCase(), field.slice(colon + 1).trim());
    }
    if (!words(fields.get("types")).includes("deb") || fields.get("enabled")?.toLowerCase() === "no") return [];
    return words(fields.get("uris")).flatMap((uri) =>
      words(fields.get("suites")).map((suite) => ({
        uri,
        suite,
        components: words(fields.get("components")),
        signedBy: fields.get("signed-by"),
      })),
    );
  });
}

function words(text: string | undefined): string[] {
  return (text ?? "").split(/\s+/).filter((word) => word !== "");
}
