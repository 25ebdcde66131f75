import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildImages } from "../../components/image/image.ts";
import { loadPlan } from "../../config/load.ts";
import { readStackFile, stackNames } from "../../config/stack-file.ts";
import { register } from "../components/mocks.ts";

const root = join(import.meta.dirname, "../..");

/** Compares with the golden file; `npm run golden` writes it anew, so that a change's effect shows in its diff. */
function golden(name: string, value: unknown): void {
  const file = join(import.meta.dirname, name);
  const text = `${JSON.stringify(value, null, 2)}\n`;
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(file, text);
  assert.ok(existsSync(file), `test/golden/${name} is missing: run \`npm run golden\``);
  assert.equal(
    text,
    readFileSync(file, "utf8"),
    `test/golden/${name} differs: if that is meant, run \`npm run golden\``,
  );
}

for (const stack of stackNames(root)) {
  describe(`stack ${stack}`, () => {
    const load = () => loadPlan(root, stack, readStackFile(root, stack), { host: "linux/amd64", revision: undefined });

    it("has no findings", async () => assert.deepEqual((await load()).findings, []));

    it("gives its golden plan", async () => golden(`${stack}.plan.json`, (await load()).plan));

    it("gives its golden list of resources", async () => {
      const { plan } = await load();
      const config = readStackFile(root, stack);
      const host = config.registry === "embedded" ? "embedded" : config.registry.host;
      const resources = await register(
        () =>
          buildImages(plan, { registry: { host }, builder: config.builder, cache: config.cache, gates: config.gates }),
        (r) => (r.component ? {} : { digest: "sha256:…", ref: `${host}/${r.name}@sha256:…`, platforms: [] }),
        { stack },
      );
      golden(`${stack}.resources.json`, resources);
    });
  });
}
