/**
 * Makes a base in a registry of its own and prints what became of it, as JSON: `make.ts HOME STORE REGISTRY-PROGRAM DATA`.
 * A process of its own, so that a test can cut its network or kill it.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readBasesLock } from "../../../config/catalogue.ts";
import { RegistryClient } from "../../../oci/client.ts";
import { ensureBase } from "../../../toolchain/bases.ts";
import { home, prepareHome, projectRoot } from "../../../toolchain/home.ts";
import { plainProgress } from "../../../toolchain/progress.ts";
import { openStore } from "../../../toolchain/store.ts";
import { freePort } from "../port.ts";

const [root = "", store = "", program = "", data = ""] = process.argv.slice(2);
const base = readBasesLock(projectRoot()).bases.find((b) => b.name === "debian:bookworm-slim");
if (base === undefined) throw new Error("no base");

const port = await freePort();
// The kernel ends it with this process, however this process ends.
const serve = ["--pdeathsig", "TERM", "--", program, "serve", join(import.meta.dirname, "registry.yml")];
const registry = spawn("setpriv", serve, {
  env: { ...process.env, REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: data, REGISTRY_HTTP_ADDR: `127.0.0.1:${port}` },
  stdio: "ignore",
});
process.on("exit", () => registry.kill());
const client = new RegistryClient({ host: `127.0.0.1:${port}`, plainHttp: true });
while (
  !(await client.ping().then(
    () => true,
    () => false,
  ))
)
  await sleep(50);

const progress = { ...plainProgress(), status: (text: string) => process.stderr.write(`${text}\n`) };
const made = await ensureBase(base, client, {
  home: prepareHome(home({ ...process.env, KEELSON_HOME: root })),
  store: openStore(store),
  progress,
});
const index = await client.getManifest(made.repository, made.tag);
const manifests = index.document.kind === "index" ? index.document.index.manifests : [];
const configs = await Promise.all(
  manifests.map(async ({ digest }) => {
    const { document } = await client.getManifest(made.repository, digest);
    return document.kind === "manifest" ? client.getConfig(made.repository, document.manifest.config) : undefined;
  }),
);
console.log(JSON.stringify({ made, configs }));
process.exit(0);
