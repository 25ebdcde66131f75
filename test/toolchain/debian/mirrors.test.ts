import assert from "node:assert/strict";
import { debianUrls, parseDeb822, parseOneLine, suiteMirror } from "../../../toolchain/debian/mirrors.ts";

const curl = "bookworm/pool/main/c/curl/curl_7.88.1-10+deb12u5~x_amd64.deb";

describe("debian mirrors", () => {
  it("reads apt's one-line format", () => {
    const text = `# comment
deb http://mirror.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] https://sec.example/debian-security/ bookworm-security main contrib
deb-src http://mirror.example/debian bookworm main
  # deb http://off.example/debian bookworm main
`;
    assert.deepEqual(parseOneLine(text), [
      { uri: "http://mirror.example/debian", suite: "bookworm" },
      { uri: "https://sec.example/debian-security/", suite: "bookworm-security" },
    ]);
  });

  it("reads apt's stanzas", () => {
    const text = `Types: deb deb-src
# comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /k.gpg

Types: deb
URIs:
 http://a.example/debian-security
 http://b.example/debian-security
Suites: bookworm-security

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
`;
    assert.deepEqual(parseDeb822(text), [
      { uri: "http://mirror.example/debian", suite: "bookworm" },
      { uri: "http://mirror.example/debian", suite: "bookworm-updates" },
      { uri: "http://a.example/debian-security", suite: "bookworm-security" },
      { uri: "http://b.example/debian-security", suite: "bookworm-security" },
    ]);
  });

  it("takes Ubuntu's packages from Ubuntu's one archive, whatever the suite", () => {
    const sources = [
      { uri: "http://mirror.example/debian", suite: "jammy" },
      { uri: "http://near.example/ubuntu/", suite: "noble" },
    ];
    const path = "pool/main/p/python3.10/python3.10_3.10.12-1~22.04.18_amd64.deb";
    assert.deepEqual(debianUrls(`jammy/${path}`, sources.slice(1), "20261120T023005Z"), [
      `http://near.example/ubuntu/${path}`,
      `http://archive.ubuntu.com/ubuntu/${path}`,
      `https://snapshot.ubuntu.com/ubuntu/20261120T023005Z/${path}`,
    ]);
    assert.equal(suiteMirror("jammy-security", []), "http://archive.ubuntu.com/ubuntu");
    assert.equal(suiteMirror("bookworm", sources.slice(1)), "http://deb.debian.org/debian");
  });

  it("asks the machine's mirrors, then Debian's, then the archive of that day", () => {
    const sources = [
      { uri: "http://mirror.example/debian/", suite: "trixie" },
      { uri: "http://other.example/debian-security", suite: "trixie-security" },
      { uri: "https://vendor.example/apt", suite: "stable" },
    ];
    const path = "pool/main/c/curl/curl_7.88.1-10%2Bdeb12u5~x_amd64.deb";
    assert.deepEqual(debianUrls(curl, sources, "20261119T021254Z"), [
      `http://mirror.example/debian/${path}`,
      `http://deb.debian.org/debian/${path}`,
      `https://snapshot.debian.org/archive/debian/20261119T021254Z/${path}`,
    ]);
  });

  it("keeps security packages in their own archive", () => {
    assert.deepEqual(debianUrls("bookworm-security/pool/x.deb", []), [
      "http://deb.debian.org/debian-security/pool/x.deb",
    ]);
    const sources = [{ uri: "http://m.example/debian-security", suite: "trixie-security" }];
    assert.equal(suiteMirror("bookworm-security", sources), "http://m.example/debian-security");
    assert.equal(suiteMirror("bookworm", sources), "http://deb.debian.org/debian");
  });
});
