import { credentials, Metadata } from "@grpc/grpc-js";
import service from "@pulumi/pulumi/proto/resource_grpc_pb.js";
import messages from "@pulumi/pulumi/proto/resource_pb.js";

/** A function of plugins/keelson without a result: the engine starts the plugin to call it. */
const READY = "keelson:index:ready";
/** Milliseconds after which nobody waits for the answer. The engine calls off what a program that has ended left open. */
const PATIENCE = 30_000;

/**
 * Has the engine start the project's own plugin while node still loads the program, which would ask for it next: the two
 * starts take as long as the longer one. Nothing depends on the answer; a failure comes again, and is told, when the program
 * registers its first resource.
 * @param monitor address of the engine's resource monitor
 */
export async function startPlugin(monitor: string): Promise<void> {
  const client = new service.ResourceMonitorClient(monitor, credentials.createInsecure());
  const request = new messages.ResourceInvokeRequest().setTok(READY);
  const options = { deadline: Date.now() + PATIENCE };
  await new Promise<void>((resolve) => client.invoke(request, new Metadata(), options, () => resolve()));
  client.close();
}
