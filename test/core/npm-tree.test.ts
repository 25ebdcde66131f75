import assert from "node:assert/strict";
import { type NpmEntry, npmTree } from "../../core/npm-tree.ts";

const PACKAGES: Record<string, NpmEntry> = {
  "": { dependencies: { app: "1.0.0" } },
  "node_modules/app": {
    version: "1.0.0",
    integrity: "sha512-app",
    dependencies: { lib: "^2.0.0", alias: "npm:real@1.0.0", "@types/lib": "*" },
    optionalDependencies: { native: "1.0.0", "native-x64": "1.0.0", "native-arm64": "1.0.0", "native-musl": "1.0.0" },
    peerDependencies: { absent: "*" },
  },
  "node_modules/app/node_modules/lib": { version: "2.0.0", dependencies: { deep: "1.0.0" } },
  "node_modules/lib": { version: "1.0.0" },
  "node_modules/deep": { version: "1.0.0", dependencies: { lib: "^1.0.0" } },
  "node_modules/alias": { name: "real", version: "1.0.0", dependencies: { inner: "1.0.0" } },
  "node_modules/alias/node_modules/inner": { version: "1.0.0", inBundle: true },
  "node_modules/@types/lib": { version: "1.0.0" },
  "node_modules/native": { version: "1.0.0", dependencies: { "only-native": "1.0.0" } },
  "node_modules/only-native": { version: "1.0.0" },
  "node_modules/native-x64": { version: "1.0.0", os: ["linux"], cpu: ["x64"], libc: ["glibc"] },
  "node_modules/native-arm64": { version: "1.0.0", os: ["!win32"], cpu: ["arm64"] },
  "node_modules/native-musl": { version: "1.0.0", os: ["linux"], libc: ["musl"] },
  "node_modules/orphan": { version: "1.0.0" },
};

const paths = (...args: Parameters<typeof npmTree>) => npmTree(...args).map((p) => p.path.replace("node_modules/", ""));

describe("npmTree", () => {
  it("takes what can be reached, from the place where node would find it", () => {
    assert.deepEqual(paths(PACKAGES, "linux/amd64"), [
      "@types/lib",
      "alias",
      "app",
      "app/node_modules/lib",
      "deep",
      "lib",
      "native",
      "native-x64",
      "only-native",
    ]);
    assert.ok(paths(PACKAGES, "linux/arm64").includes("native-arm64"));
  });

  it("leaves out what it is told to, and what only that needs", () => {
    const left = paths(PACKAGES, "linux/amd64", ["native", "@types/*"]);
    assert.deepEqual(left, ["alias", "app", "app/node_modules/lib", "deep", "lib", "native-x64"]);
  });

  it("knows a package by its real name, and its integrity", () => {
    const tree = npmTree(PACKAGES, "linux/amd64");
    assert.equal(tree.find((p) => p.path === "node_modules/alias")?.name, "real");
    assert.deepEqual(
      tree.find((p) => p.name === "app"),
      {
        path: "node_modules/app",
        name: "app",
        version: "1.0.0",
        integrity: "sha512-app",
      },
    );
  });
});
