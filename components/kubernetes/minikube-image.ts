import { Command } from "@pulumi/command/local/command.js";
import * as pulumi from "@pulumi/pulumi";

export interface MinikubeImageArgs {
  /** The catalogue's name of it. */
  readonly image: string;
  /** Profile whose node gets it. */
  readonly profile: string;
  /** In the registry, by digest. */
  readonly ref: pulumi.Input<string>;
}

/**
 * An image in a Minikube's node, loaded where the node lacks it: nodes know loaded images by names, not by digests of
 * registries, so each digest is a name of its own. One that was replaced is removed when nothing runs it any more.
 * @example new MinikubeImage("todo-backend", { image: "todo-backend", profile: "minikube", ref: images.get("todo-backend").ref }).ref // "todo-backend:sha256-1a2b…"
 */
export class MinikubeImage extends pulumi.ComponentResource {
  /** What pods write. */
  readonly ref: pulumi.Output<string>;

  constructor(name: string, { image, profile, ref }: MinikubeImageArgs, options?: pulumi.ComponentResourceOptions) {
    super("keelson:kubernetes:MinikubeImage", name, {}, options);
    const local = pulumi.output(ref).apply((whole) => localName(image, whole));
    const keelson = "node toolchain/bootstrap.mjs minikube";
    // Its registry, and the login to that, are the stack's.
    const load = `${keelson} load --stack ${pulumi.getStack()} --profile ${profile}`;
    const loaded = new Command(
      name,
      {
        create: pulumi.interpolate`${load} --as ${local} ${ref}`,
        delete: pulumi.interpolate`${keelson} remove --profile ${profile} ${local}`,
        triggers: [ref],
      },
      { parent: this },
    );
    // Who runs it waits until it is there.
    this.ref = pulumi.all([local, loaded.stdout]).apply(([own]) => own);
    this.registerOutputs({ ref: this.ref });
  }
}

function localName(name: string, ref: string): string {
  return `${name}:sha256-${/@sha256:([0-9a-f]{16})/.exec(ref)?.[1] ?? "unknown"}`;
}
