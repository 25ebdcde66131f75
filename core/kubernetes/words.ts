/** A word of a shell command that people copy: quoted where a shell would read more into it. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A kubectl command line in a namespace. @example kubectl("shop", "get", "pods") // "kubectl -n shop get pods" */
export function kubectl(namespace: string, ...words: readonly string[]): string {
  return ["kubectl", "-n", namespace, ...words].map(shellWord).join(" ");
}

/** Which cluster a command line is about, as kubectl and helm take it. */
export interface ClusterFlags {
  /** Path of the file; undefined: that of kubectl's own rules. */
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
}

/**
 * A fix whose kubectl and helm commands name the cluster that it is about: who types them may stand before another one.
 * @example onCluster("kubectl -n shop get pods", { context: "prod" }) // "kubectl --context prod -n shop get pods"
 */
export function onCluster(fix: string, { kubeconfig, context }: ClusterFlags): string {
  const file = kubeconfig === undefined ? [] : ["--kubeconfig", kubeconfig];
  const flags = (name: string) => [...file, ...(context === undefined ? [] : [name, context])].map(shellWord);
  return fix
    .replace(/(?<![\w/.-])kubectl(?: --context \S+)?(?= (?:-n )?[a-z])/g, (found) => {
      const own = found.slice("kubectl".length).trim();
      const words = context === undefined && own !== "" ? [...flags("--context"), own] : flags("--context");
      return ["kubectl", ...words].join(" ");
    })
    .replace(/(?<![\w/.-])helm(?= -n )/g, () => ["helm", ...flags("--kube-context")].join(" "));
}
