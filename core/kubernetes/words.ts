/** A word of a shell command that people copy: quoted where a shell would read more into it. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A kubectl command line in a namespace. @example kubectl("shop", "get", "pods") // "kubectl -n shop get pods" */
export function kubectl(namespace: string, ...words: readonly string[]): string {
  return ["kubectl", "-n", namespace, ...words].map(shellWord).join(" ");
}
