/** The resource's own type of a URN. @example typeToken("urn:pulumi:dev::p::a:b:C$d:e:F::name") // "d:e:F" */
export function typeToken(urn: string): string {
  const qualified = urn.split("::")[2] ?? "";
  return qualified.slice(qualified.lastIndexOf("$") + 1);
}

/** The resource's name, the last part of a URN, which may hold colons itself. */
export function resourceName(urn: string): string {
  return urn.split("::").slice(3).join("::");
}
