import type { PlannedHost, PlannedHostService } from "../host-plan.ts";
import { renderSection } from "./bundle.ts";
import { checkBundle } from "./check.ts";

/** Stands for the image, which may not be built yet: whatever becomes of it is one line of a preview, and no more. */
const IMAGE = "@IMAGE@";

/**
 * The texts that a host is given of a service, by name: `words` for its program, and its files. Of the image and of secrets there is nothing in
 * them, nor are its variables, which the stack's config says in words of its own.
 * @throws UserError where the service can't run, whatever the others are.
 * @example definitionOf(host, weft)["proxy.cfg"] // "global\n  maxconn 4096\n…"
 */
export function definitionOf(
  { app, engine = "docker" }: Pick<PlannedHost, "app" | "engine">,
  service: PlannedHostService,
): Record<string, string> {
  const image = `${service.image}@sha256:${"0".repeat(64)}`;
  checkBundle({ app, engine, services: [{ ...service, image, after: [] }] });
  const texts: Record<string, string> = {};
  let name = "words";
  for (const line of renderSection({ app, engine }, { ...service, image })) {
    const [, begun] = /^file (\S+)$/.exec(line) ?? [];
    name = begun ?? name;
    if (begun === undefined) texts[name] = `${texts[name] ?? ""}${line.replace(/^\|/, "").replaceAll(image, IMAGE)}\n`;
  }
  const { env: _, ...rest } = texts;
  return rest;
}
