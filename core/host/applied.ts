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

/** How Pulumi marks what is secret in a state, and under which key it says so (sdk/go/common/resource/sig). */
const MARK = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";

function clear(value: unknown): string {
  const { [MARK]: mark, plaintext } = (typeof value === "object" && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  const text = mark === SECRET && typeof plaintext === "string" ? JSON.parse(plaintext) : value;
  return typeof text === "string" ? text : "";
}
