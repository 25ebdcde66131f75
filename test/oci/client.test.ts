import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { RegistryClient } from "../../oci/client.ts";
import { digestOf } from "../../oci/digest.ts";
import { readAll } from "../../oci/http.ts";
import { answer, type Double, type Handler, says, startDouble } from "./double.ts";

const OCI = "application/vnd.oci.image.manifest.v1+json";
const blob = { mediaType: "application/octet-stream", digest: digestOf("x"), size: 1 };
const manifest = JSON.stringify({ schemaVersion: 2, mediaType: OCI, config: blob, layers: [blob] });
const type = { "content-type": OCI };

describe("RegistryClient", () => {
  const doubles: Double[] = [];
  const serve = async (handler: Handler) => {
    const double = await startDouble(handler);
    doubles.push(double);
    return double;
  };
  afterEach(async () => {
    await Promise.all(doubles.splice(0).map((d) => d.close()));
  });

  describe("logging in", () => {
    const guarded = (tokens: string[]): Handler => {
      let issued = 0;
      return (request, response) => {
        if (request.url.startsWith("/token")) return answer(response, 200, JSON.stringify({ token: tokens[issued++] }));
        if (request.headers.authorization === `Bearer ${tokens.at(-1)}`) return answer(response, 200, manifest, type);
        const realm = `Bearer realm="http://${request.headers.host}/token",service="s"`;
        answer(response, 401, "", { "www-authenticate": realm });
      };
    };

    it("gets a token for the scope, with the login, once for many requests", async () => {
      const double = await serve(guarded(["good"]));
      const client = double.client({ credentials: { username: "u", password: "p" } });
      await Promise.all([1, 2, 3, 4].map(() => client.getManifest("a/b", "t")));
      await client.getManifest("a/b", "t");
      const asked = double.seen.filter((s) => s.url.startsWith("/token"));
      assert.deepEqual(
        asked.map((s) => s.url),
        ["/token?service=s&scope=repository%3Aa%2Fb%3Apull"],
      );
      assert.equal(asked[0]?.headers.authorization, "Basic dTpw");
    });

    it("replaces a token that has run out", async () => {
      const double = await serve(guarded(["old", "good"]));
      const client = double.client();
      await assert.rejects(client.getManifest("a", "t"), says(/HTTP 401/, /log in/));
      assert.equal((await client.getManifest("a", "t")).bytes.toString(), manifest);
    });

    it("answers Basic with the login, read when it is first needed", async () => {
      const double = await serve((request, response) =>
        request.headers.authorization === "Basic dTpw"
          ? answer(response, 200, manifest, type)
          : answer(response, 401, "", { "www-authenticate": 'Basic realm="r"' }),
      );
      let asked = 0;
      const client = double.client({ credentials: async () => ({ username: "u", password: ["p"][asked++] ?? "" }) });
      await client.getManifest("a", "t");
      await client.getManifest("a", "t");
      assert.equal(asked, 1);
      await assert.rejects(
        double.client().getManifest("a", "t"),
        says(/wants a login and there is none/, /docker login/),
      );
      const wrong = double.client({ credentials: { username: "u", password: "hunter2" } });
      await assert.rejects(wrong.getManifest("a", "t"), (error: Error) => {
        assert.doesNotMatch(error.message, /hunter2/);
        return says(/HTTP 401 for the login of u/, /log in: write credentials/)(error);
      });
    });

    it("says who was refused, without the password", async () => {
      const double = await serve((request, response) =>
        request.url.startsWith("/token")
          ? answer(response, 403, '{"errors":[{"code":"DENIED","message":"no"}]}')
          : answer(response, 401, "", { "www-authenticate": `Bearer realm="http://${request.headers.host}/token"` }),
      );
      const client = double.client({ credentials: { username: "me", password: "hunter2" } });
      await assert.rejects(client.getManifest("a", "t"), (error: Error) => {
        assert.doesNotMatch(error.message, /hunter2/);
        return says(/refuses the login of me: HTTP 403 \(DENIED: no\)/)(error);
      });
    });

    it("keeps the login from where a blob is redirected to", async () => {
      const seen: (string | undefined)[] = [];
      const store = createServer((request, response) => {
        seen.push(request.headers.authorization);
        answer(response, 200, "x");
      }).listen(0, "127.0.0.1");
      await once(store, "listening");
      const address = `http://127.0.0.1:${(store.address() as AddressInfo).port}/`;
      const double = await serve((request, response) =>
        request.headers.authorization
          ? answer(response, 307, "", { location: address })
          : answer(response, 401, "", { "www-authenticate": "Basic" }),
      );
      const client = double.client({ credentials: { username: "u", password: "p" } });
      assert.equal((await client.getBytes("a", blob)).toString(), "x");
      assert.deepEqual(seen, [undefined]);
      store.closeAllConnections();
      store.close();
    });
  });

  describe("failures in passing", () => {
    it("waits as Retry-After says, in both forms", async () => {
      const double = await serve((_, response, nth) => {
        if (nth === 0) return answer(response, 429, "", { "retry-after": "0" });
        if (nth === 1)
          return answer(response, 503, "", {
            "retry-after": "Wed, 21 Oct 2026 07:28:00 GMT",
            date: "Wed, 21 Oct 2026 07:28:00 GMT",
          });
        answer(response, 200, manifest, type);
      });
      await double.client().getManifest("a", "t");
      assert.equal(double.seen.length, 3);
    });

    it("does not wait longer than it may", async () => {
      const double = await serve((_, response) => answer(response, 429, "", { "retry-after": "3600" }));
      await assert.rejects(double.client().getManifest("a", "t"), says(/HTTP 429.*wait 3600 s/));
      assert.equal(double.seen.length, 1);
    });

    it("repeats 5xx and gives up with the registry's words", async () => {
      const double = await serve((_, response) =>
        answer(response, 500, '{"errors":[{"code":"UNKNOWN","message":"disk \\u001b[31mfull"}]}'),
      );
      await assert.rejects(
        double.client().getManifest("a", "t"),
        says(/read the manifest a:t at 127.*HTTP 500 \(UNKNOWN: disk ·\[31mfull\)/, /logs/),
      );
      assert.equal(double.seen.length, 5);
    });

    it("repeats broken connections, and says what broke when they stay so", async () => {
      const double = await serve((_, response, nth) =>
        nth < 2 ? response.destroy() : answer(response, 200, manifest, type),
      );
      await double.client().getManifest("a", "t");
      const dead = await serve((_, response) => response.destroy());
      await assert.rejects(
        dead.client().getManifest("a", "t"),
        says(/could not read the manifest a:t at 127/, /runs and can be reached/),
      );
    });

    it("gives up on silence", async () => {
      const double = await serve(() => {});
      await assert.rejects(
        double.client({ idleTimeout: 30, backoff: [] }).getManifest("a", "t"),
        says(/no byte for 0.03 s/),
      );
    });

    it("does not repeat what is refused for good", async () => {
      const double = await serve((_, response) => answer(response, 403, "denied"));
      await assert.rejects(double.client().getManifest("a", "t"), says(/HTTP 403 \("denied"\)/, /right to do this/));
      assert.equal(double.seen.length, 1);
    });

    it("tells plain http and TLS apart", async () => {
      const double = await serve((_, response) => answer(response, 200));
      const client = new RegistryClient({ host: double.host, backoff: [] });
      await assert.rejects(client.ping(), says(/could not reach the registry/, /plain http/));
    });
  });

  describe("garbage", () => {
    const cases: [string, string | Buffer, RegExp][] = [
      ["html", "<html>Welcome to our Wi-Fi</html>", /expected JSON, found "<html>Welcome/],
      ["nothing", "", /expected JSON, found nothing/],
      ["a number", "7", /expected a JSON object, found "7"/],
      ["binary", Buffer.from([0xff, 0xfe, 0]), /expected JSON/],
      ["wrong version", '{"schemaVersion":1,"fsLayers":[]}', /schemaVersion/],
      ["a bad digest", manifest.replaceAll("sha256:", "sha256:../../"), /config\.digest: expected sha256/],
      ["a negative size", manifest.replaceAll('"size":1', '"size":-1'), /size/],
      [
        "two documents in one",
        manifest.replace('"layers"', '"manifests":[],"layers"'),
        /an index and a manifest at once/,
      ],
      [
        "another type than the header's",
        manifest.replace("image.manifest", "image.index"),
        /answer's type is .* but the document says/,
      ],
      ["4 MiB and more", " ".repeat(4 * 1024 * 1024 + 1), /at most 4194304 bytes, found more/],
    ];
    for (const [name, body, pattern] of cases) {
      it(`as a manifest: ${name}`, async () => {
        const double = await serve((_, response) => answer(response, 200, body, type));
        await assert.rejects(
          double.client().getManifest("team/app", "1.0"),
          says(/manifest team\/app:1\.0 at 127.*not what a registry gives/, pattern),
        );
      });
    }

    it("bytes that are not what the digest names", async () => {
      const double = await serve((_, response) => answer(response, 200, manifest, type));
      const digest = digestOf("other");
      await assert.rejects(double.client().getManifest("a", digest), says(/expected sha256.*found sha256/));
      const lying = await serve((_, response) =>
        answer(response, 200, manifest, { ...type, "docker-content-digest": digest }),
      );
      await assert.rejects(lying.client().getManifest("a", "t"), says(/the answer says sha256/));
    });

    it("a config, a tag list, a redirect, a challenge, a token", async () => {
      const text = '{"rootfs":7}';
      const double = await serve((request, response) => {
        if (request.url.startsWith("/v2/r/")) return answer(response, 302, "", { location: "file:///etc/passwd" });
        if (request.url.startsWith("/v2/c/")) return answer(response, 401, "", { "www-authenticate": "Digest x=y" });
        if (request.url.startsWith("/v2/t/"))
          return answer(response, 401, "", {
            "www-authenticate": `Bearer realm="http://${request.headers.host}/token"`,
          });
        answer(response, 200, request.url.startsWith("/token") ? '{"tok":1}' : text);
      });
      const client = double.client({ credentials: { username: "u", password: "p" } });
      await assert.rejects(
        client.getConfig("a", { digest: digestOf(text), size: text.length }),
        says(/read the config a@sha256/, /architecture/),
      );
      await assert.rejects(double.client().listTags("r"), says(/a redirect to "file:/));
      await assert.rejects(client.listTags("c"), says(/offers digest/));
      await assert.rejects(client.listTags("t"), says(/expected a token/));
    });
  });

  describe("tags", () => {
    it("follows pages on the same registry, and sorts", async () => {
      const double = await serve((request, response) =>
        request.url.includes("last=b")
          ? answer(response, 200, '{"tags":["a"]}')
          : answer(response, 200, '{"tags":["c","b"]}', { link: '</v2/x/tags/list?n=2&last=b>; rel="next"' }),
      );
      assert.deepEqual(await double.client().listTags("x"), ["a", "b", "c"]);
    });

    it("takes null for none", async () => {
      const double = await serve((_, response) => answer(response, 200, '{"name":"x","tags":null}'));
      assert.deepEqual(await double.client().listTags("x"), []);
    });

    it("leaves pages that go round, and other hosts' pages", async () => {
      const round = await serve((request, response) =>
        answer(response, 200, '{"tags":["a"]}', { link: `<${request.url}>; rel="next"` }),
      );
      await assert.rejects(round.client().listTags("x"), says(/no new tag/));
      const away = await serve((_, response) =>
        answer(response, 200, '{"tags":["a"]}', { link: '<http://evil.example/>; rel="next"' }),
      );
      await assert.rejects(away.client().listTags("x"), says(/next page at "http:\/\/evil/));
    });
  });

  describe("repositories", () => {
    it("are listed page by page, sorted", async () => {
      const double = await serve((request, response) =>
        request.url.includes("last=b")
          ? answer(response, 200, '{"repositories":["a"]}')
          : answer(response, 200, '{"repositories":["c","b"]}', { link: '</v2/_catalog?n=2&last=b>; rel="next"' }),
      );
      assert.deepEqual(await double.client().listRepositories(), ["a", "b", "c"]);
    });

    for (const status of [400, 401, 403, 404, 405, 501])
      it(`are nobody's to know where the registry answers ${status}`, async () => {
        const double = await serve((_, response) => answer(response, status));
        assert.equal(await double.client().listRepositories(), undefined);
      });

    it("ask for a login to the whole list", async () => {
      const double = await serve((request, response) => {
        if (request.url.startsWith("/token")) return answer(response, 200, '{"token":"t"}');
        if (request.headers.authorization === "Bearer t") return answer(response, 200, '{"repositories":[]}');
        const realm = `http://${request.headers.host}/token`;
        return answer(response, 401, "", { "www-authenticate": `Bearer realm="${realm}",service="s"` });
      });
      assert.deepEqual(await double.client().listRepositories(), []);
      const asked = double.seen.find(({ url }) => url.startsWith("/token"))?.url ?? "";
      assert.equal(new URL(asked, "http://x").searchParams.get("scope"), "registry:catalog:*");
    });

    it("that make no sense are told", async () => {
      const double = await serve((_, response) => answer(response, 200, '{"repositories":[1]}'));
      await assert.rejects(double.client().listRepositories(), says(/list the repositories/));
    });
  });

  describe("blobs", () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
    const ref = { digest: digestOf(bytes), size: bytes.length };
    const ranged = (cut: number, honour: boolean): Handler => {
      return (request, response) => {
        const from = honour ? Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0) : 0;
        const headers = {
          "content-length": String(bytes.length - from),
          "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}`,
        };
        response.writeHead(from > 0 ? 206 : 200, headers);
        const end = honour ? from + cut : cut * seenOf(request.headers);
        response.write(bytes.subarray(from, end), () => (end >= bytes.length ? response.end() : response.destroy()));
      };
    };
    let attempts = 0;
    const seenOf = (_: unknown) => ++attempts;

    it("go on where a broken transfer stopped", async () => {
      const double = await serve(ranged(110_000, true));
      assert.deepEqual(await readAll(double.client().getBlob("a", ref), 1e9), bytes);
      assert.ok(double.seen.length >= 3, "at least three transfers");
      assert.match(String(double.seen[1]?.headers.range), /^bytes=\d+-$/);
    });

    it("go on from a registry that ignores ranges", async () => {
      attempts = 0;
      const double = await serve(ranged(110_000, false));
      assert.deepEqual(await readAll(double.client().getBlob("a", ref), 1e9), bytes);
    });

    it("fail when they stay short, too long, or wrong", async () => {
      const short = await serve((_, response) => answer(response, 200, bytes.subarray(0, 10)));
      await assert.rejects(readAll(short.client().getBlob("a", ref), 1e9), says(/expected 300000 bytes, found fewer/));
      const long = await serve((_, response) => answer(response, 200, Buffer.concat([bytes, bytes])));
      await assert.rejects(readAll(long.client().getBlob("a", ref), 1e9), says(/found more/));
      const wrong = await serve((_, response) => answer(response, 200, Buffer.alloc(bytes.length)));
      await assert.rejects(readAll(wrong.client().getBlob("a", ref), 1e9), says(/expected sha256:.*found bytes with/));
    });

    /** A registry's upload protocol, breaking off the nth PATCH half-way. */
    const uploads = (breakAt: number, forget = false): Handler & { stored: () => Buffer } => {
      let stored = Buffer.alloc(0);
      let patches = 0;
      const handler: Handler = (request, response) => {
        const headers = { location: "/v2/a/blobs/uploads/u1?state=x", range: `0-${Math.max(0, stored.length - 1)}` };
        if (request.method === "HEAD") return answer(response, 404);
        if (request.method === "POST") {
          stored = Buffer.alloc(0);
          return answer(response, 202, "", headers);
        }
        if (request.method === "GET") return forget ? answer(response, 404) : answer(response, 204, "", headers);
        if (request.method === "PUT") {
          stored = Buffer.concat([stored, request.body]);
          return request.url.includes(`state=x&digest=${encodeURIComponent(digestOf(stored))}`)
            ? answer(response, 201)
            : answer(response, 400, "digest");
        }
        if (patches++ === breakAt) {
          if (!forget) stored = Buffer.concat([stored, request.body.subarray(0, 1000)]);
          return void response.destroy();
        }
        const from = Number(/^(\d+)-/.exec(String(request.headers["content-range"]))?.[1]);
        if (from !== stored.length) return answer(response, 416);
        stored = Buffer.concat([stored, request.body]);
        answer(response, 202, "", { ...headers, range: `0-${stored.length - 1}` });
      };
      return Object.assign(handler, { stored: () => stored });
    };
    const source = { ...ref, open: (offset: number) => Readable.from([bytes.subarray(offset)], { objectMode: false }) };

    it("are sent in one piece when short", async () => {
      const registry = uploads(-1);
      const double = await serve(registry);
      assert.equal(await double.client().pushBlob("a", source), "sent");
      assert.deepEqual(
        double.seen.map((s) => s.method),
        ["HEAD", "POST", "PUT"],
      );
      assert.deepEqual(registry.stored(), bytes);
    });

    it("are sent in chunks when long, and go on after a broken one", async () => {
      const registry = uploads(1);
      const double = await serve(registry);
      await double.client().pushBlob("a", source, { chunk: 100_000 });
      assert.deepEqual(registry.stored(), bytes);
      assert.deepEqual(
        double.seen.map((s) => s.method),
        ["HEAD", "POST", "PATCH", "PATCH", "GET", "PATCH", "PATCH", "PUT"],
      );
    });

    it("start anew where the registry forgot the upload", async () => {
      const registry = uploads(1, true);
      const double = await serve(registry);
      await double.client().pushBlob("a", source, { chunk: 100_000 });
      assert.deepEqual(registry.stored(), bytes);
    });

    it("give up on a registry that is gone", async () => {
      const double = await serve((request, response) =>
        request.method === "HEAD" ? answer(response, 404) : response.destroy(),
      );
      await assert.rejects(double.client().pushBlob("a", source), says(/push the blob a@sha256/, /can be reached/));
    });

    it("say what their source lacks", async () => {
      const double = await serve(uploads(-1));
      const cut = { ...ref, open: () => Readable.from([bytes.subarray(0, 10)], { objectMode: false }) };
      await assert.rejects(double.client().pushBlob("a", cut), /ended 299990 bytes early/);
    });
  });
});
