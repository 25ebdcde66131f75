import { UserError } from "../error.ts";
import type { HostService } from "./service.ts";

/**
 * The environment file of a service as docker reads it: `NAME=value` up to the end of the line, nothing quoted.
 * @throws UserError where a name is none, or a value has a line break.
 */
export function renderEnvironment(service: Pick<HostService, "name" | "environment" | "secrets">): string {
  const files = (service.secrets ?? []).filter((s) => s.as === "file");
  const variables = {
    ...service.environment,
    ...Object.fromEntries(files.map(({ name }) => [`${name}_FILE`, `/run/secrets/${name}`])),
  };
  return Object.entries(variables)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${variable(service.name, name)}=${oneLine(service.name, name, value)}\n`)
    .join("");
}

function variable(service: string, name: string): string {
  if (/^[A-Za-z_]\w*$/.test(name)) return name;
  throw new UserError(
    `${service}: expected the name of an environment variable, found ${JSON.stringify(name)}`,
    "use letters, digits and _",
  );
}

function oneLine(service: string, name: string, value: string): string {
  if (!/[\r\n\0]/.test(value)) return value;
  throw new UserError(
    `${service}: the value of ${name} has a line break, which an environment file can't hold`,
    "make it a secret with `as: file`, or encode it",
  );
}
