import { closeSync, openSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Server, ServerCredentials, type UntypedServiceImplementation } from "@grpc/grpc-js";
import service from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import type { Calls } from "./calls.ts";

/** How long cancelled work may take to clean up, milliseconds. The engine kills a plugin 5 s after it asks it to go. */
const GRACE = 3000;

/** The address of the engine's own service: the plugin's argument. Flags may stand before it. */
export function engineAddress(): string | undefined {
  return process.argv.slice(2).findLast((argument) => !argument.startsWith("-"));
}

/** The engine does not say how it displays: where there is a terminal, it takes one. KEELSON_PROGRESS=live|plain decides. */
export function display(): "live" | "plain" {
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

/**
 * Serves a provider's methods on a port of loopback, which it prints on a line, until the engine says goodbye, in any
 * of the ways in which it can.
 */
export function serve(implementation: UntypedServiceImplementation, calls: Calls): void {
  // Messages hold whole states: no limit on their size, as in the engine.
  const server = new Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
  server.addService(service.ResourceProviderService, implementation);
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    process.stdout.write(`${port}\n`);
  });
  let leaving = false;
  const leave = async () => {
    if (leaving) return;
    leaving = true;
    calls.cancel();
    await Promise.race([calls.idle(), sleep(GRACE)]);
    process.exit(0);
  };
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, leave);
  // The engine holds the other end of standard input: it closes when the engine dies, however it dies.
  process.stdin.on("end", leave).on("close", leave).on("error", leave).resume();
}
