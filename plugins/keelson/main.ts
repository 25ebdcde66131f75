import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import service from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import { Provider } from "./provider.ts";
import type { Toolbox } from "./toolbox.ts";

/** `main.ts [flags] ENGINE`: serves until the engine says goodbye, in any of the ways in which it can. */
const VERSION = "0.1.0";

const root = process.cwd();
let toolbox: Promise<Toolbox> | undefined;
/** The toolchain is loaded when a resource first needs it: most runs find nothing to do before that. */
function toolboxOf(): Promise<Toolbox> {
  toolbox ??= import("./machine.ts").then(({ machine }) => machine(root));
  return toolbox;
}

const provider = new Provider({
  version: VERSION,
  engine: process.argv.slice(2).findLast((argument) => !argument.startsWith("-")),
  display: display(),
  root,
  types: {
    "keelson:index:Image": async () => {
      const [{ ImageType }, tools] = await Promise.all([import("./image/image.ts"), toolboxOf()]);
      return new ImageType(tools);
    },
    "keelson:index:BuildContext": async () => {
      const [{ BuildContextType }, tools] = await Promise.all([import("./context/context.ts"), toolboxOf()]);
      return new BuildContextType(tools);
    },
    "keelson:index:Tag": async () => {
      const [{ TagType }, tools] = await Promise.all([import("./tag/tag.ts"), toolboxOf()]);
      return new TagType(tools);
    },
  },
  schema: () => readFile(new URL("schema.json", import.meta.url), "utf8"),
});

/** The engine does not say how it displays: where there is a terminal, it takes one. KEELSON_PROGRESS=live|plain decides. */
function display(): "live" | "plain" {
  const wanted = process.env.KEELSON_PROGRESS;
  if (wanted === "live" || wanted === "plain") return wanted;
  if (process.env.CI) return "plain";
  try {
    closeSync(openSync("/dev/tty", "r"));
    return "live";
  } catch {
    return "plain";
  }
}

// Messages hold whole states: no limit on their size, as in the engine.
const server = new Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
server.addService(service.ResourceProviderService, provider.implementation());
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.stdout.write(`${port}\n`);
  // The engine now takes its time to greet: most programs use an image next.
  void import("./image/image.ts");
  void toolboxOf();
});

/** How long cancelled work may take to clean up, milliseconds. The engine kills a plugin 5 s after it asks it to go. */
const GRACE = 3000;
let leaving = false;

async function leave(): Promise<void> {
  if (leaving) return;
  leaving = true;
  provider.cancel();
  await Promise.race([provider.idle(), sleep(GRACE)]);
  process.exit(0);
}

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, leave);
// The engine holds the other end of standard input: it closes when the engine dies, however it dies.
process.stdin.on("end", leave).on("close", leave).on("error", leave).resume();
