/** How a server wants to be asked: one challenge of a Www-Authenticate header. */
export interface Challenge {
  /** Lower case. @example "bearer", "basic" */
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/**
 * Reads a Www-Authenticate header, which may hold several challenges and commas inside quotes.
 * @example parseChallenges('Bearer realm="https://auth.example/token",service="r",scope="repository:a:pull,push"')
 * // [{ scheme: "bearer", parameters: { realm: "https://auth.example/token", service: "r", scope: "…" } }]
 */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  const item = /\s*,?\s*(?:([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))|([\w-]+)(?=\s|,|$))/y;
  while (item.lastIndex < header.length) {
    const match = item.exec(header);
    if (!match) break;
    const [, name, quoted, plain, scheme] = match;
    if (scheme !== undefined) challenges.push({ scheme: scheme.toLowerCase(), parameters: {} });
    const last = challenges.at(-1);
    if (name !== undefined && last)
      last.parameters[name.toLowerCase()] = quoted?.replaceAll(/\\(.)/g, "$1") ?? plain ?? "";
  }
  return challenges;
}

/** A user name with a password, or an identity token as some logins leave it. */
export type Credentials = { readonly username: string; readonly password: string } | { readonly identityToken: string };

/** The value of a Basic Authorization header. */
export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

/** What a token may do. @example { repository: "team/worker", actions: "pull,push" } */
export type Scope =
  | { readonly repository: string; readonly actions: "pull" | "pull,push" | "pull,push,delete" | "delete" }
  /** List the registry's repositories. */
  | "catalog";

/** The scope in the token protocol's notation. @example "repository:team/worker:pull,push" */
export const formatScope = (scope: Scope): string =>
  scope === "catalog" ? "registry:catalog:*" : `repository:${scope.repository}:${scope.actions}`;

/**
 * The request that gets a token: a GET, with Basic credentials if there are any, or a POST that trades the identity
 * token (OAuth 2 refresh).
 * @throws RangeError when the realm is no address that credentials may be sent to: https, or the registry's own scheme.
 */
export function tokenRequest(
  challenge: Challenge,
  scopes: readonly string[],
  credentials: Credentials | undefined,
  registry: URL,
): { method: "GET" | "POST"; url: URL; headers: Record<string, string>; body?: Buffer } {
  const { realm = "", service } = challenge.parameters;
  const url = URL.canParse(realm) ? new URL(realm) : undefined;
  if (!url || (url.protocol !== "https:" && !(url.protocol === "http:" && registry.protocol === "http:"))) {
    throw new RangeError(`expected an https address to get a token from, found ${JSON.stringify(realm.slice(0, 200))}`);
  }
  if (credentials && "identityToken" in credentials) {
    const form = new URLSearchParams({
      grant_type: "refresh_token",
      refresh_token: credentials.identityToken,
      client_id: "keelson",
    });
    if (service) form.set("service", service);
    form.set("scope", scopes.join(" "));
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    return { method: "POST", url, headers, body: Buffer.from(form.toString()) };
  }
  if (service) url.searchParams.set("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  const headers = credentials ? { authorization: basic(credentials.username, credentials.password) } : {};
  return { method: "GET", url, headers: headers as Record<string, string> };
}
