import { expect, test } from "vitest";
import { backportsSource, hasBackports } from "../../scripts/apt-backports.ts";

const debian = {
  path: "/etc/apt/sources.list.d/debian.sources",
  text: `Types: deb
# a snapshot
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`,
};
const vendor = {
  path: "/etc/apt/sources.list.d/vendor.list",
  text: "deb [arch=amd64 signed-by=/usr/share/keyrings/vendor.gpg] https://vendor.example/debian/12/prod bookworm main\n",
};

test("a deb822 source gives its own archive and key with the backports suite", () => {
  expect(backportsSource([vendor, debian], "bookworm")).toBe(`Types: deb
URIs: http://mirror.example/debian
Suites: bookworm-backports
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`);
});

test("one-line sources are read, with and without options", () => {
  const text = `# deb http://old.example/debian bookworm main
deb-src http://mirror.example/debian bookworm main
deb http://mirror.example/debian/ bookworm main contrib # the archive
deb http://mirror.example/debian/ bookworm-updates main
`;
  expect(backportsSource([vendor, { path: "/etc/apt/sources.list", text }], "bookworm")).toBe(
    "Types: deb\nURIs: http://mirror.example/debian/\nSuites: bookworm-backports\nComponents: main\n",
  );
});

test("a vendor that publishes under the codename is not taken for the distribution", () => {
  const other = { ...vendor, text: vendor.text.replaceAll("vendor", "other") };
  expect(backportsSource([vendor, other], "bookworm")).toBeUndefined();
});

test("an archive of unknown name is taken when it is the only one", () => {
  const only = { path: "/etc/apt/sources.list", text: "deb http://cache.example/apt bookworm main\n" };
  expect(backportsSource([only], "bookworm")).toContain("URIs: http://cache.example/apt\n");
});

test("disabled stanzas and other codenames do not count", () => {
  const disabled = { ...debian, text: debian.text.replace("Types: deb\n#", "Enabled: no\nTypes: deb\n#") };
  expect(backportsSource([disabled], "bookworm")).toBeUndefined();
  expect(backportsSource([debian], "trixie")).toBeUndefined();
});

test("an embedded key is kept with its indentation", () => {
  const text = `Types: deb
URIs: http://mirror.example/debian
Suites: trixie
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEY865UxYJKwYBBAHaRw8BAQdAd7Z0srwuhlB6JKFkcf4HU4SSS/xcRfwEQWzr
 -----END PGP PUBLIC KEY BLOCK-----
`;
  expect(backportsSource([{ path: "x.sources", text }], "trixie")).toContain(
    "Signed-By: -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEY865",
  );
});

test("backports that are configured already are seen", () => {
  const configured = { path: "b.list", text: "deb http://mirror.example/debian bookworm-backports main\n" };
  expect(hasBackports([debian, configured], "bookworm")).toBe(true);
  expect(hasBackports([debian], "bookworm")).toBe(false);
});
