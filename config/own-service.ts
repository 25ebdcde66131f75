import type { ImageDefinition } from "../core/image.ts";

/** The definition that images of services with sources of their own are made from. */
const TEMPLATE = "service-own";

/** A service of the fleet that `keelson:sources` has sources for. */
export interface OwnService {
  /** Of the service, and of its image. @example "memory-fusion-hub" */
  readonly name: string;
  /** The reference service's image that its sources are put on. @example "service-cpu" */
  readonly base: string;
  /** Path that answers 200 while it serves. Default: the template's. */
  readonly health?: string;
}

/**
 * The definition of a service's own image: the template's, on the image that the service would run without sources, for that
 * one's platforms and CUDA track. Undefined where the catalogue lacks either, which is found elsewhere.
 * @param service with its name, base and health
 */
export function ownDefinition<T extends { readonly definition: ImageDefinition }>(
  found: readonly T[],
  { name, base, health: path }: OwnService,
): T | undefined {
  const template = found.find(({ definition }) => definition.name === TEMPLATE);
  const below = found.find(({ definition }) => definition.name === base)?.definition;
  if (template === undefined || below === undefined) return undefined;
  const { health } = template.definition;
  const definition: ImageDefinition = {
    ...template.definition,
    name,
    base,
    description: `${name} from its own sources, on ${base}`,
    platforms: below.platforms,
    ...(below.track === undefined ? {} : { track: below.track }),
    // What somebody else's code weighs is not for the template to say.
    budget: {},
    ...(health?.http === undefined || path === undefined
      ? {}
      : { health: { ...health, http: { ...health.http, path } } }),
  };
  return { ...template, definition };
}
