// The process that the engine starts as `pulumi-language-nodejs ENGINE_ADDRESS`: it serves, prints its port, and ends
// when the engine closes its input or asks for it.
import { Server, ServerCredentials, type UntypedHandleCall } from "@grpc/grpc-js";
import language from "@pulumi/pulumi/proto/language_grpc_pb.js";
import { languageRuntime } from "./runtime.ts";

const engine = process.argv.slice(2).findLast((argument) => !argument.startsWith("-")) ?? "";
const runtime = languageRuntime(engine);
const server = new Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
server.addService(language.LanguageRuntimeService, runtime.handlers as Record<string, UntypedHandleCall>);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.stdout.write(`${port}\n`);
});

function quit(): void {
  runtime.cancel();
  server.forceShutdown();
  process.exit(0);
}
process.stdin.resume().on("end", quit).on("error", quit);
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, quit);
