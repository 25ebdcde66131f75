import { UserError } from "../core/error.ts";
import { brief, registryErrors } from "./schemas.ts";

/**
 * A registry that refuses, fails or answers nonsense. The message names registry, repository and what was found.
 * @example if (error instanceof RegistryError && error.status === 404) …
 */
export class RegistryError extends UserError {
  /** HTTP status of the answer; undefined when none came, or when what came made no sense. */
  readonly status: number | undefined;

  constructor(message: string, fix: string, status?: number, options?: ErrorOptions) {
    super(message, fix, options);
    this.status = status;
  }
}

/** What the registry said about its refusal, as one printable line; empty when it said nothing. */
export function explain(body: Uint8Array): string {
  try {
    const { errors } = registryErrors.parse(JSON.parse(Buffer.from(body).toString("utf8")));
    const text = errors.map((e) => [e.code, e.message].filter(Boolean).join(": ")).join("; ");
    return text.replaceAll(/[^\x20-\x7e]+/g, "·").slice(0, 300);
  } catch {
    return body.length === 0 ? "" : brief(body);
  }
}

/** What to do about a status, in one line. */
export function adviceFor(status: number, host: string): string {
  switch (status) {
    case 401:
      return `log in: write credentials for ${host} to the docker config (\`docker login ${host}\`) or the stack's config`;
    case 403:
      return `give the account at ${host} the right to do this, or use another account`;
    case 404:
      return `check the name, and that it was pushed to ${host}`;
    case 405:
      return `${host} has this switched off: allow it in the registry's settings (deleting: REGISTRY_STORAGE_DELETE_ENABLED=true)`;
    case 413:
      return `${host} bounds the size of what it takes: use smaller layers or another registry`;
    case 429:
      return `wait, or log in to ${host}: accounts have higher limits`;
    default:
      return status >= 500
        ? `look at the logs of ${host}, then run this again`
        : "check the registry's address and its version";
  }
}
