// Edits an OCI bundle's config.json so that the step sees what the host trusts: called as
//   node runc-wrapper.mjs TRUST_DIR … run --bundle DIR …
// before runc itself, by the script that buildkitd takes for runc (runc.ts). Plain JavaScript with no imports but
// node's own: it runs once for each build step, and node (with JSON.rawJSON: 21 or later) starts it in about 20 ms.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { argv, cwd } from "node:process";

const IN_CONTAINER = "/dev/.keelson";

const [, , trust, ...args] = argv;
const config = join(option("--bundle") ?? option("-b") ?? cwd(), "config.json");
// Numbers keep their text: limits go up to 2^64-1, which JavaScript's can't hold.
const spec = JSON.parse(readFileSync(config, "utf8"), (_key, value, { source }) =>
  typeof value === "number" && !Number.isSafeInteger(value) ? JSON.rawJSON(source) : value,
);
const env = JSON.parse(readFileSync(join(trust, "env.json"), "utf8"));

// The spec's own mount of /dev comes first, a tmpfs: what is mounted below it leaves no directory in the layer.
spec.mounts = [
  ...(spec.mounts ?? []),
  { destination: IN_CONTAINER, type: "bind", source: trust, options: ["rbind", "ro", "nosuid", "nodev", "noexec"] },
];
const own = new Set((spec.process.env ?? []).map((pair) => pair.split("=", 1)[0]));
const added = Object.entries(env).filter(([name]) => !own.has(name));
spec.process.env = [...(spec.process.env ?? []), ...added.map(([name, value]) => `${name}=${value}`)];
writeFileSync(config, JSON.stringify(spec));

/** The value of an option, written `--name value` or `--name=value`. */
function option(name) {
  const index = args.findIndex((arg) => arg === name || arg.startsWith(`${name}=`));
  if (index < 0) return undefined;
  return args[index].includes("=") ? args[index].slice(name.length + 1) : args[index + 1];
}
