import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import own from "../package.json" with { type: "json" };
import { SECRET_VARIABLES } from "../src/config.ts";
import { gatewayEnvironment } from "../src/serve/gateway.ts";

describe("tool-loader package", () => {
  it("has few dependencies, at exact versions that the project tests with", async () => {
    const root = JSON.parse(await readFile(new URL("../../../package.json", import.meta.url), "utf8")) as {
      dependencies: Record<string, string>;
      devDependencies: Record<string, string>;
    };
    const tested = { ...root.dependencies, ...root.devDependencies };
    const all: Record<string, string> = { ...own.dependencies, ...own.devDependencies };
    for (const [name, version] of Object.entries(all)) {
      assert.match(version, /^\d+\.\d+\.\d+$/);
      assert.equal(tested[name], version, name);
    }
    assert.ok(Object.keys(own.dependencies).length <= 4);
  });

  it("keeps the volume's keys from the gateway", () => {
    const secrets = Object.fromEntries(SECRET_VARIABLES.map((name) => [name, "hidden"]));
    const env = gatewayEnvironment({ PATH: "/usr/bin", TOKEN: "the gateway's own", ...secrets });
    assert.deepEqual(env, { PATH: "/usr/bin:/data/tools/bin:/var/tmp/tool-loader/bin", TOKEN: "the gateway's own" });
    // The images' own has them already.
    const twice = gatewayEnvironment({ PATH: "/usr/bin:/data/tools/bin" }).PATH;
    assert.equal(twice, "/usr/bin:/data/tools/bin:/var/tmp/tool-loader/bin");
  });
});
