import { UserError } from "../../../core/error.ts";
import type { Plan, PlannedImage } from "../../../core/plan.ts";
import { hashTag } from "../../../core/tags.ts";
import type { OpenRegistry } from "../toolbox.ts";
import type { ImageInputs, RegistryInputs } from "./inputs.ts";

/**
 * The inputs of a planned image's build, with the images that it is made from as the registry holds them: what the
 * program gives its resource, outside of an `up`. They tag, annotate and check nothing.
 * @throws UserError where the registry lacks one of these images.
 */
export async function plannedInputs(
  plan: Plan,
  image: PlannedImage,
  registry: RegistryInputs,
  open: OpenRegistry,
): Promise<ImageInputs> {
  const parent = (name: string) => pushedParent(plan, image, name, open);
  const contexts: [string, ImageInputs["contexts"][string]][] = [];
  for (const [name, context] of Object.entries(image.contexts)) {
    if (context.kind === "image") contexts.push([name, { kind: "image", ...(await parent(context.image)) }]);
    else contexts.push([name, context.kind === "base" ? { ...context, kind: "image" } : context]);
  }
  const external = plan.bases.find((base) => base.name === image.base.name);
  const { name, folder, repository, contentHash, args, builds, user, target } = image;
  return {
    ...{ imageName: name, repository, registry, contentHash, folder, user, builds: [...builds] },
    ...(target === undefined ? {} : { target }),
    args: { ...args },
    base:
      image.base.kind === "external" && external !== undefined
        ? { kind: "external", name: external.name, origin: external.origin, hash: external.contentHash }
        : { kind: "image", ...(await parent(image.base.name)) },
    contexts: Object.fromEntries(contexts),
    ...{ builder: "auto", cache: "none", tags: [], annotations: {}, provenance: {}, budget: {} },
    gates: { severity: {}, allow: [] },
  };
}

async function pushedParent(plan: Plan, image: PlannedImage, name: string, { client, host }: OpenRegistry) {
  const parent = plan.images.find((i) => i.name === name);
  if (parent === undefined) throw new Error(`the plan lacks ${name}, which ${image.name} is made from`);
  const found = await client.headManifest(parent.repository, hashTag(parent.contentHash));
  if (found === undefined)
    throw new UserError(
      `${image.name} is made from ${name}, which ${host} does not hold as it stands in this checkout`,
      `build it first: add ${image.name} to keelson:images, then \`npm run up\``,
    );
  return { ref: `${host}/${parent.repository}@${found.digest}`, hash: parent.contentHash };
}
