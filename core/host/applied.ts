import { SECRET, SIGNATURE } from "../pulumi-secret.ts";

/** A resource of `pulumi stack export --show-secrets`, as far as it is read. */
export interface ClearResource {
  readonly type: string;
  readonly parent?: string | undefined;
  readonly inputs?: Readonly<Record<string, unknown>> | undefined;
}

/** A session that brought a host to where it is. */
export interface AppliedSession {
  readonly command: string;
  /** Its standard input, secrets among it. */
  readonly input: string;
}

/**
 * The sessions of a host as its stack last had them, in their order: a state has what others depend on before them. To run them again
 * changes what is not as they left it, and nothing else.
 * @example appliedSessions("vps1", resources) // set-up, a session a mount, services
 */
export function appliedSessions(host: string, resources: readonly ClearResource[]): AppliedSession[] {
  return resources
    .filter(({ type, parent }) => type === "command:remote:Command" && parent?.endsWith(`keelson:host:Host::${host}`))
    .map(({ inputs = {} }) => ({ command: clear(inputs.create), input: clear(inputs.stdin) }));
}

function clear(value: unknown): string {
  const { [SIGNATURE]: mark, plaintext } = (typeof value === "object" && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  const text = mark === SECRET && typeof plaintext === "string" ? JSON.parse(plaintext) : value;
  return typeof text === "string" ? text : "";
}
