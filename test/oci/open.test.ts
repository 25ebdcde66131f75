import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { annotationsAbout } from "../../oci/about.ts";
import { RegistryClient } from "../../oci/client.ts";
import { digestOf } from "../../oci/digest.ts";
import { openRegistry } from "../../oci/open.ts";
import { answer, says, startDouble } from "./double.ts";

describe("openRegistry", () => {
  it("logs in as the docker config says, when it is first asked to", async () => {
    const folder = await mkdtemp(join(tmpdir(), "keelson open "));
    const double = await startDouble((request, response) =>
      request.headers.authorization === `Basic ${Buffer.from("me:pw").toString("base64")}`
        ? answer(response, 200, '{"tags":["a"]}')
        : answer(response, 401, "", { "www-authenticate": "Basic" }),
    );
    await writeFile(
      join(folder, "config.json"),
      JSON.stringify({ auths: { [double.host]: { auth: Buffer.from("me:pw").toString("base64") } } }),
    );
    const client = await openRegistry(double.host, { plainHttp: true, env: { DOCKER_CONFIG: folder } });
    assert.deepEqual(await client.listTags("x"), ["a"]);
    const own = async () => ({ username: "me", password: "pw" });
    const stacks = await openRegistry(double.host, { plainHttp: true, env: {}, credentials: own });
    assert.deepEqual(await stacks.listTags("x"), ["a"], "given credentials need no config");
    await double.close();
    await rm(folder, { recursive: true });
  });

  it("says which certificate can't be read", async () => {
    await assert.rejects(
      openRegistry("localhost:1", { caFile: "/nowhere/ca.pem", env: {} }),
      says(/CA certificate of localhost:1.*\/nowhere\/ca\.pem/, /npm run up/),
    );
  });

  it("refuses what is no host", () => {
    for (const host of ["", "a/b", "user@host", "host?x", "a b", "http://x"]) {
      assert.throws(() => new RegistryClient({ host }), says(/is no registry/), host);
    }
  });
});

describe("annotationsAbout", () => {
  it("reads them from the list, or from the artifact where the list has none", async () => {
    const [one, two] = [digestOf("1"), digestOf("2")];
    const media = "application/vnd.oci.image.manifest.v1+json";
    const blob = { mediaType: "x/y", digest: digestOf("{}"), size: 2 };
    const artifact = JSON.stringify({
      schemaVersion: 2,
      mediaType: media,
      config: blob,
      layers: [],
      annotations: { b: "2" },
    });
    const double = await startDouble((request, response) => {
      if (request.url.includes("/referrers/")) {
        const manifests = [
          { mediaType: media, digest: one, size: 2, annotations: { a: "1" } },
          { mediaType: media, digest: digestOf(artifact), size: artifact.length },
        ];
        return answer(response, 200, JSON.stringify({ schemaVersion: 2, manifests }));
      }
      if (request.url.includes(digestOf(artifact))) return answer(response, 200, artifact, { "content-type": media });
      if (request.url.endsWith("/missing")) return answer(response, 404);
      answer(response, 200, "", { "docker-content-digest": two, "content-length": "0" });
    });
    assert.deepEqual(await annotationsAbout(double.client(), "x", "t"), { a: "1", b: "2" });
    assert.deepEqual(await annotationsAbout(double.client(), "x", "missing"), {});
    await double.close();
  });
});
