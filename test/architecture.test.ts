import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cruise, type IForbiddenRuleType } from "dependency-cruiser";

const root = join(import.meta.dirname, "..");
/** Who may import whom, besides themselves: the directions of docs/architecture.md. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  images: ["core"],
  oci: ["core"],
  toolchain: ["oci", "core"],
  gates: ["oci", "core"],
  config: ["toolchain", "core"],
  plugins: ["toolchain", "gates", "oci", "core"],
  components: ["core"],
  // The plugin, so that `keelson reproduce` builds as an `up` does.
  cli: ["plugins", "gates", "toolchain", "oci", "config", "core"],
  runtime: [],
  // Whatever it measures, the plugin's own format of an image included.
  bench: ["plugins", "gates", "toolchain", "oci", "config", "images", "core", "runtime"],
};
const rooms = Object.keys(MAY_IMPORT).filter((room) => existsSync(join(root, room)));

const directions = rooms.map(
  (room): IForbiddenRuleType => ({
    name: `${room} imports only ${MAY_IMPORT[room]?.join(", ") || "itself"}`,
    severity: "error",
    // Not of keelson: the applications that images carry.
    from: { path: `^${room}/`, pathNot: "\\.test\\.ts$|^images/[^/]+/app/" },
    to: {
      path: "^(?:index\\.ts$|[a-z]+/)",
      pathNot: `^(?:${[room, ...(MAY_IMPORT[room] ?? []), "node_modules"].join("|")})/|^${builtins()}`,
    },
  }),
);
const effects: IForbiddenRuleType[] = [
  {
    name: "core has no effects",
    severity: "error",
    from: { path: "^core/" },
    to: { path: "^(?:node:)?(?:fs|child_process|net|http|https|os|process|worker_threads|dns|timers)(?:/|$)" },
  },
  {
    name: "nothing imports cli or test",
    severity: "error",
    from: { pathNot: "^(?:cli|test)/" },
    to: { path: "^(?:cli|test)/" },
  },
  {
    name: "index.ts imports only components, config, gates, core",
    severity: "error",
    from: { path: "^index\\.ts$" },
    to: { path: "^[a-z]+/", pathNot: `^(?:components|config|gates|core|node_modules)/|^${builtins()}` },
  },
  { name: "core knows no Pulumi", severity: "error", from: { path: "^core/" }, to: { path: "@pulumi/" } },
  { name: "no cycles", severity: "error", from: {}, to: { circular: true } },
];

function builtins(): string {
  return "(?:node:|fs|path|url|crypto|os|stream|zlib|child_process|events|util|http|https|net|tls|process|assert|module|readline|timers|worker_threads|v8|sqlite)";
}

describe("architecture", () => {
  it("core/ knows no clock, no chance and no environment", () => {
    const impure =
      /\b(?:Date\.now|new Date\(\)|Math\.random|performance\.now|process\.(?:env|argv|cwd|platform|hrtime))\b/;
    const files = readdirSync(join(root, "core"), { recursive: true, encoding: "utf8" }).filter((f) =>
      f.endsWith(".ts"),
    );
    assert.ok(files.length > 100);
    const code = (file: string) =>
      readFileSync(join(root, "core", file), "utf8").replaceAll(/\/\*.*?\*\/|^\s*\/\/.*$/gms, "");
    assert.deepEqual(
      files.filter((file) => impure.test(code(file))),
      [],
    );
  });

  it("imports point one way", async function () {
    this.timeout(60_000);
    const result = await cruise(
      ["index.ts", ...rooms].filter((p) => existsSync(join(root, p))),
      {
        baseDir: root,
        ruleSet: { forbidden: [...directions, ...effects] },
        validate: true,
        doNotFollow: { path: "node_modules" },
        tsPreCompilationDeps: true,
      },
    );
    assert.ok(typeof result.output === "object");
    assert.ok(result.output.summary.totalCruised > 10, "it looked at the code");
    assert.deepEqual(
      result.output.summary.violations.map((v) => `${v.rule.name}: ${v.from} → ${v.to}`),
      [],
    );
  });
});
