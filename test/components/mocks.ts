import * as pulumi from "@pulumi/pulumi";

/** A resource as the program registered it. */
export interface Registered {
  readonly type: string;
  readonly name: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  /** True for a ComponentResource: no provider behind it. */
  readonly component: boolean;
}

/**
 * Runs `program` on Pulumi's mocks and gives what it registered, sorted by type and name.
 * @param outputs what a resource's provider would add to its inputs.
 */
export async function register(
  program: () => unknown,
  outputs: (resource: Registered) => Record<string, unknown> = () => ({}),
  context: { project?: string; stack?: string; config?: Record<string, string>; secrets?: string[] } = {},
): Promise<Registered[]> {
  const registered: Registered[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource(args) {
        const resource = {
          type: args.type,
          name: args.name,
          inputs: args.inputs,
          component: args.custom === false,
        };
        registered.push(resource);
        return { id: `${args.name}-id`, state: { ...args.inputs, ...outputs(resource) } };
      },
      call: (args) => args.inputs,
    },
    context.project ?? "keelson",
    context.stack ?? "test",
    false,
  );
  pulumi.runtime.setAllConfig(context.config ?? {}, context.secrets ?? []);
  await program();
  await pulumi.runtime.disconnect();
  return registered.toSorted((a, b) => (a.type + a.name < b.type + b.name ? -1 : 1));
}
