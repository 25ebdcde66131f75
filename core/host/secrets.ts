import { UserError } from "../error.ts";

/** A registry that asks who pulls. */
export interface HostLogin {
  readonly registry: string;
  readonly username: string;
  readonly password: string;
}

/**
 * What follows a bundle on the host program's standard input: the values of its secrets and the logins, encoded so that
 * any value is one line. It is a secret itself.
 * @param values by service, by name.
 */
export function renderSecrets(
  values: Readonly<Record<string, Readonly<Record<string, string>>>>,
  logins: readonly HostLogin[] = [],
): string {
  const secrets = Object.entries(values).flatMap(([service, byName]) =>
    Object.entries(byName).map(([name, value]) => `secret ${service} ${name} ${encode(value)}\n`),
  );
  const login = logins.map(
    ({ registry, username, password }) => `login ${word(registry)} ${encode(username)} ${encode(password)}\n`,
  );
  return [...secrets.toSorted(), ...login, "end\n"].join("");
}

function encode(value: string): string {
  if (value === "") throw new UserError("a secret has no value", "set it with `pulumi config set --secret`");
  return Buffer.from(value).toString("base64");
}

function word(text: string): string {
  if (/^[\w.:/-]+$/.test(text)) return text;
  throw new UserError(
    `expected a registry's host, found ${JSON.stringify(text)}`,
    "write it as ghcr.io or localhost:5000",
  );
}
