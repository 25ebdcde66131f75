import { UserError } from "../../../core/error.ts";
import { explainRefusal } from "../../../core/kubernetes/refusal.ts";
import { kubectl, shellWord } from "../../../core/kubernetes/words.ts";
import { printable } from "../../../core/printable.ts";

/** Which release helm was at work on. */
export interface ReleaseName {
  readonly namespace: string;
  readonly name: string;
  readonly chart: string;
}

const TIMEOUT = /timed out waiting|context deadline exceeded/;

/** What helm says when it fails, and what to do about it (helm 3.22; its messages are the same since 3.0). */
const SIGNS: readonly { readonly sign: RegExp; readonly fix: (release: ReleaseName) => string }[] = [
  {
    sign: /cannot re-use a name that is still in use/,
    fix: ({ namespace, name }) =>
      `take it over: pulumi import kubernetes:helm.sh/v3:Release NAME ${namespace}/${name}; or ${helm(namespace, "uninstall", name)}`,
  },
  {
    sign: /another operation \(install\/upgrade\/rollback\) is in progress/,
    fix: ({ namespace, name }) =>
      `if no other run is at work on it, one was ended in the middle: ${helm(namespace, "rollback", name)}`,
  },
  {
    sign: /values don't meet the specifications of the schema/,
    fix: ({ chart }) => `correct these values; what the chart takes: helm show values ${shellWord(chart)}`,
  },
  {
    sign: /parse error|execution error|error calling|YAML parse error|template: /,
    fix: ({ chart }) =>
      `the chart does not render with these values: correct them, or its template; helm show values ${shellWord(chart)}`,
  },
  {
    sign: /missing in charts\/ directory|found in Chart\.yaml, but missing/,
    fix: ({ chart }) => `helm dependency build ${shellWord(chart)}, or set dependencyUpdate: true`,
  },
  {
    sign: /\b401\b|unauthorized|authentication required|basic credential not found/i,
    fix: ({ chart }) =>
      chart.startsWith("oci://")
        ? `log in before: helm registry login ${shellWord(new URL(chart).host)}`
        : "log in before (helm repo add NAME URL --username … --password-stdin), and name the chart NAME/CHART",
  },
  {
    sign: /connection refused|no such host|i\/o timeout|no route to host|x509:|certificate/,
    fix: () => "see that this machine reaches the chart's repository, and trusts its certificate (SSL_CERT_DIR)",
  },
  {
    sign: /not found|no such file|Chart\.yaml file is missing|failed to (?:download|fetch)|looks like .* is not a valid chart repository/,
    fix: () => "correct the chart's name, version or repository; a folder is relative to the project",
  },
  {
    sign: TIMEOUT,
    fix: ({ namespace, name }) =>
      `see what is not ready: ${kubectl(namespace, "get", "pods", "-l", `app.kubernetes.io/instance=${name}`)}; or raise timeout`,
  },
  {
    sign: /exists and cannot be imported into the current release/,
    fix: ({ namespace }) =>
      `delete what it names, or let helm take it: ${kubectl(namespace, "annotate", "…", "meta.helm.sh/release-name=…")}`,
  },
];

/** Helm's failure for people. @param said what it wrote to standard error */
export function explainHelm(what: string, said: string, release: ReleaseName): UserError {
  const message = lastError(said);
  if (/forbidden|denied the request|failed calling webhook|because it is being terminated/.test(message))
    return explainRefusal(
      { code: 403, reason: "Forbidden", message },
      {
        what,
        // Helm does many things in one run: which one was refused, only the message says.
        ...{ verb: "", resource: "", namespace: release.namespace, name: release.name },
        login: { user: "?", context: "?" },
      },
    );
  const known = SIGNS.find(({ sign }) => sign.test(message));
  return new UserError(`can't ${what}: ${printable(message)}`, known?.fix(release) ?? "correct what helm names");
}

/** Whether helm has waited for what did not come in time. */
export function isTimeout(said: string): boolean {
  return TIMEOUT.test(lastError(said));
}

/** Helm's last word, without its warnings. */
function lastError(said: string): string {
  const at = said.lastIndexOf("Error: ");
  const message = (at < 0 ? said : said.slice(at + "Error: ".length)).trim();
  return message.replace(/^(?:INSTALLATION|UPGRADE) FAILED: /, "") || "helm gives no reason";
}

function helm(namespace: string, ...words: readonly string[]): string {
  return ["helm", "-n", namespace, ...words].map(shellWord).join(" ");
}
