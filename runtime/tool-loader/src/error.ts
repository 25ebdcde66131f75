/**
 * A failure that someone can mend, said in one line with what to do about it.
 * @example throw new LoaderError("the spec file /etc/tools.json is no JSON", "correct line 3")
 */
export class LoaderError extends Error {
  override readonly name: string = "LoaderError";
  readonly fix: string;

  constructor(message: string, fix: string, options?: ErrorOptions) {
    super(message, options);
    this.fix = fix;
  }
}

/**
 * Why getting a tool failed. `transient`: the same again may work (a network, a full disk). `permanent`: it won't, from
 * this source (a wrong checksum, a binary that doesn't run here, an archive that climbs out).
 */
export class ToolError extends Error {
  override readonly name = "ToolError";
  readonly kind: "transient" | "permanent";
  /** Head and tail of what the command printed, secrets removed. */
  readonly log: string | undefined;

  constructor(kind: "transient" | "permanent", message: string, options?: ErrorOptions & { log?: string | undefined }) {
    super(message, options);
    this.kind = kind;
    this.log = options?.log;
  }
}

/** An error's message with its causes, on one line. */
export function reasonOf(error: unknown): string {
  const parts: string[] = [];
  for (let e: unknown = error; e !== undefined && e !== null && parts.length < 5; ) {
    const text = e instanceof Error ? e.message || e.name : String(e);
    if (text !== "" && !parts.some((p) => p.includes(text))) parts.push(text);
    e = e instanceof AggregateError ? e.errors[0] : e instanceof Error ? e.cause : undefined;
  }
  return parts.join(": ").replaceAll(/\s*\n\s*/g, "; ");
}
