import assert from "node:assert/strict";
import fc from "fast-check";
import { HeadTail } from "../src/head-tail.ts";
import { redactor } from "../src/redact.ts";
import { allowedEnvironment, withoutPath, withPath } from "../src/run/environment.ts";

describe("HeadTail", () => {
  it("keeps the whole of a short text, and both ends of a long one, however it comes", () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 400, unit: "grapheme-ascii" }),
        fc.array(fc.integer({ min: 1, max: 40 })),
        (text, cuts) => {
          const kept = new HeadTail(20, 30);
          let at = 0;
          for (const cut of [...cuts, text.length]) {
            kept.add(Buffer.from(text.slice(at, at + cut)));
            at += cut;
          }
          assert.equal(kept.total, text.length);
          if (text.length <= 50) assert.equal(kept.text(), text);
          else {
            assert.ok(kept.text().startsWith(text.slice(0, 20)));
            assert.ok(kept.text().endsWith(text.slice(-30)));
            assert.ok(kept.text().includes(`${text.length - 50} bytes left out`));
          }
        },
      ),
    );
  });
});

describe("redactor", () => {
  const redact = redactor({
    API_TOKEN: "hunter2hunter2",
    DB_PASSWORD: "hunter2",
    HOME: "/root",
    SHORT_KEY: "ab",
    PATH: "/usr/bin",
  });

  it("takes out the values of variables whose names say that they are secret", () => {
    assert.equal(redact("with hunter2hunter2 and hunter2 in /root"), "with *** and *** in /root");
    assert.equal(redact("ab"), "ab");
  });

  it("takes out what looks like a credential", () => {
    assert.equal(redact("https://me:pass@example.org/x"), "https://***@example.org/x");
    assert.equal(redact("Authorization: Bearer abc.def"), "Authorization: Bearer ***");
    assert.equal(redact("GET /x?X-Amz-Signature=deadbeef&a=1"), "GET /x?X-Amz-Signature=***&a=1");
    assert.equal(redact("token ghp_0123456789abcdefghij"), "token ghp_***");
  });
});

describe("allowedEnvironment", () => {
  it("lets mirrors, certificates and locale through, and nothing else", () => {
    const env = allowedEnvironment({
      PATH: "/usr/bin",
      LANG: "C.UTF-8",
      HTTPS_PROXY: "http://proxy",
      PIP_INDEX_URL: "https://mirror/simple",
      npm_config_registry: "https://mirror",
      NODE_EXTRA_CA_CERTS: "/ca.pem",
      AWS_SECRET_ACCESS_KEY: "no",
      TOOL_LOADER_S3_SECRET_ACCESS_KEY: "no",
      GITHUB_TOKEN: "no",
      NODE_OPTIONS: "--require /evil.js",
      LD_PRELOAD: "/evil.so",
      ANTHROPIC_API_KEY: "no",
    });
    assert.deepEqual(Object.keys(env).toSorted(), [
      "HTTPS_PROXY",
      "LANG",
      "NODE_EXTRA_CA_CERTS",
      "PATH",
      "PIP_INDEX_URL",
      "npm_config_registry",
    ]);
  });

  it("has a PATH in any case, which can be put before and taken from", () => {
    const env = allowedEnvironment({});
    assert.match(env.PATH ?? "", /\/usr\/bin/);
    assert.equal(withPath({ PATH: "/usr/bin" }, ["/a", "/b"]).PATH, "/a:/b:/usr/bin");
    assert.equal(withoutPath({ PATH: "/usr/bin:/tools/bin:/bin" }, "/tools/bin").PATH, "/usr/bin:/bin");
  });
});
