import { readFile } from "node:fs/promises";
import { Miniflare } from "miniflare";
import { r2ConfigSchema } from "./r2.ts";

/** `r2-server.ts serve CONFIG`: miniflare's R2 as an S3 endpoint on loopback, until SIGTERM. Started by r2.ts. */
const [command, file = ""] = process.argv.slice(2);
if (command !== "serve") throw new Error(`expected serve, found ${command}`);

const { port, accessKeyId, secretAccessKey, buckets, data, revision } = r2ConfigSchema.parse(
  JSON.parse(await readFile(file, "utf8")),
);
const s3Credentials = { accessKeyId, secretAccessKey };
const server = new Miniflare({
  modules: true,
  script: `export default { fetch() { return new Response(${JSON.stringify(revision)}) } }`,
  r2Buckets: Object.fromEntries(buckets.map((id, i) => [`B${i}`, { id, s3Credentials }])),
  r2Persist: data,
  host: "127.0.0.1",
  port,
  cf: false,
});

let leaving = false;
async function leave(): Promise<void> {
  if (leaving) return;
  leaving = true;
  await server.dispose();
  process.exit(0);
}
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, leave);

try {
  await server.ready;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
