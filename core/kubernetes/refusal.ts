import { UserError } from "../error.ts";
import { printable } from "../printable.ts";
import { kubectl } from "./words.ts";

/** The API server's `Status` of a call that it did not do (meta/v1). */
export interface Refusal {
  readonly code: number;
  /** @example "AlreadyExists" */
  readonly reason: string;
  readonly message: string;
  readonly details?: {
    readonly name?: string;
    readonly group?: string;
    readonly kind?: string;
    readonly causes?: readonly { readonly reason?: string; readonly message?: string; readonly field?: string }[];
  };
}

/** What was wanted of the API server. */
export interface Attempt {
  /** @example "create Deployment shop/web" */
  readonly what: string;
  /** @example { verb: "create", resource: "deployments.apps" } */
  readonly verb: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  /** Who asked. @example { user: "deployer", context: "prod" } */
  readonly login: { readonly user: string; readonly context: string; readonly expired?: string };
  /** Who the apply was by. */
  readonly fieldManager?: string;
  /** @example "kubernetes:apps/v1:Deployment" */
  readonly token?: string;
}

/** A refusal in words, with what to do about it. */
export function explainRefusal(refusal: Refusal, attempt: Attempt): UserError {
  const { message, fix } = judge(refusal, attempt);
  return new UserError(`can't ${attempt.what}: ${printable(message)}`, fix);
}

interface Explanation {
  readonly message: string;
  readonly fix: string;
}

function judge(refusal: Refusal, attempt: Attempt): Explanation {
  const { code, message, reason } = refusal;
  const { namespace, login } = attempt;
  const said = SIGNS.find(({ sign }) => sign.test(message));
  if (said !== undefined) return said.explain(refusal, attempt, said.sign.exec(message) ?? []);
  if (code === 401) return unauthorized(login);
  if (code === 403) return { message, fix: rights(message, attempt) };
  if (code === 409 && reason === "AlreadyExists") return exists(message, attempt);
  if (code === 409) return conflict(refusal, attempt);
  if (code === 422) return invalid(refusal);
  if (code === 404 && refusal.details?.kind === "namespaces")
    return {
      message,
      fix:
        `kubectl create namespace ${namespace}, or let the stack make it: createNamespaces: true of the cluster in keelson:kubernetes ` +
        "(in a program: make it, and pass its name on, so that it comes first)",
    };
  if (code === 429 || code >= 500)
    return {
      message: `${message} (${code})`,
      fix: "wait a moment, then run this again; kubectl get --raw /readyz says what ails it",
    };
  return { message: `${message} (${code} ${reason})`, fix: "correct what it names" };
}

interface Sign {
  readonly sign: RegExp;
  readonly explain: (refusal: Refusal, attempt: Attempt, found: readonly string[]) => Explanation;
}

/** What messages say more exactly than codes do; the same refusals hit pods later (rollout.ts). */
const SIGNS: readonly Sign[] = [
  {
    sign: /because it is being terminated/,
    explain: (_, { namespace }) => ({
      message: `the namespace ${namespace} is being deleted, and takes nothing new`,
      fix: `wait until it is gone, then run this again; what holds it up: kubectl get namespace ${namespace} -o yaml`,
    }),
  },
  {
    // As keelson's plugin says it.
    sign: /^\S+ is not there any more$/,
    explain: ({ message }) => ({ message, fix: "npm run up -- --refresh (with -s STACK) makes it anew" }),
  },
  {
    sign: /exceeded quota: (.*)/,
    explain: (_, { namespace }, [, rest]) => ({
      message: `the quota of namespace ${namespace} has no room for it: ${rest}`,
      fix: `${kubectl(namespace, "describe", "resourcequota")}; then raise it, or ask for less`,
    }),
  },
  {
    sign: /failed quota: (.*)/,
    explain: (_, { namespace }, [, rest]) => ({
      message: `the quota of namespace ${namespace} counts what it does not say: ${rest}`,
      fix: "write what the message names, such as resources.requests and limits",
    }),
  },
  {
    sign: /violates PodSecurity "([^"]+)":? ?(.*)/,
    explain: (_, { namespace }, [, level, rest]) => ({
      message: `the namespace ${namespace} takes pods under ${level} alone: ${rest}`,
      fix: "set what the message names in the workload's securityContext",
    }),
  },
  {
    sign: /admission webhook "([^"]+)" denied the request: ?(.*)/s,
    explain: (_, __, [, hook, rest]) => ({
      message: `the webhook ${hook} refuses it: ${rest || "it gives no reason"}`,
      fix: "correct what it names; who it is: kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations",
    }),
  },
  {
    sign: /ValidatingAdmissionPolicy '([^']+)' .*denied request: (.*)/s,
    explain: (_, __, [, policy, rest]) => ({
      message: `the admission policy ${policy} refuses it: ${rest}`,
      fix: `correct what it names; what it asks: kubectl get validatingadmissionpolicy ${policy} -o yaml`,
    }),
  },
  {
    sign: /failed calling webhook "([^"]+)": (.*)/s,
    explain: (_, __, [, hook, rest]) => ({
      message: `the webhook ${hook} does not answer, and nothing passes without it: ${rest}`,
      fix: "look at its service; who it is: kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations",
    }),
  },
];

function unauthorized({ user, context, expired }: Attempt["login"]): Explanation {
  if (expired !== undefined)
    return {
      message: `the client certificate of user ${user} (context ${context}) expired on ${expired}`,
      fix: "get a new kubeconfig: minikube update-context, kubeadm certs renew, or from whoever gave you this one",
    };
  return {
    message: `the API server does not accept the login of user ${user} (context ${context})`,
    fix: `log in again, or name a kubeconfig that is valid; try it: kubectl --context ${context} auth whoami`,
  };
}

/** How the API server names what a user may not: seldom what was asked for, where one call leads to others. */
const LACKING =
  /cannot (\w+) resource "([\w./-]+)"(?: in API group "([\w.-]*)")?(?:( at the cluster scope)| in the namespace "([\w-]+)")?/;

function rights(message: string, attempt: Attempt): string {
  const [, verb = attempt.verb, plural, group = "", cluster, namespace = attempt.namespace] =
    LACKING.exec(message) ?? [];
  const scope = cluster !== undefined || namespace === "" ? "" : ` -n ${namespace}`;
  if (verb === "")
    return `give its user the rights that it names; those that it has: kubectl auth can-i --list${scope}`;
  const [name = "", part] = (plural ?? attempt.resource).split("/");
  // The attempt's own resource may be a path.
  const isPart = plural !== undefined && part !== undefined;
  const resource = plural === undefined ? attempt.resource : `${name}${group === "" ? "" : `.${group}`}`;
  const shown = isPart ? `${resource}/${part}` : resource;
  const asked = isPart ? `${resource} --subresource=${part}` : resource;
  return `give its user a role that may ${verb} ${shown}; try it: kubectl auth can-i ${verb} ${asked}${scope}`;
}

function exists(message: string, { token, namespace, name }: Attempt): Explanation {
  const id = namespace === "" ? name : `${namespace}/${name}`;
  return {
    message: `it is there already, and not of this stack (${message})`,
    fix: `take it over: pulumi import ${token ?? "TYPE"} NAME ${id}; or delete it, or give this one another name`,
  };
}

/** Names who holds the fields: the server does in each cause's message. */
function conflict({ message, details }: Refusal, { fieldManager, name, resource, namespace }: Attempt): Explanation {
  const causes = (details?.causes ?? []).filter(({ reason }) => reason === "FieldManagerConflict");
  if (causes.length === 0) return { message, fix: "run this again: somebody changed it at the same moment" };
  const held = causes.map(({ message: who = "", field = "" }) => `${field} (${who})`).join(", ");
  return {
    message: `somebody else manages what it wants to change: ${held}; this stack applies as "${fieldManager ?? "?"}"`,
    fix:
      'take the fields over with the annotation pulumi.com/patchForce: "true", leave them out of the program, or list them in ' +
      `ignoreChanges; who set what: ${kubectl(namespace, "get", `${resource}/${name}`, "-o", "yaml", "--show-managed-fields")}`,
  };
}

function invalid({ message, details }: Refusal): Explanation {
  const causes = details?.causes ?? [];
  if (causes.length === 0) return { message, fix: "correct what it names" };
  const wrong = causes.map(({ field = "", message: said = "" }) => (field === "" ? said : `${field}: ${said}`));
  const isFixed = causes.some(({ message: said = "" }) =>
    /field is immutable|may not be changed|updates to .* are forbidden/i.test(said),
  );
  return {
    message: `the API server takes no such object: ${[...new Set(wrong)].join("; ")}`,
    fix: isFixed
      ? "these fields can't change in place: pass replaceOnChanges with them, or give the object another name"
      : "correct these fields",
  };
}

/** Why no API server answered. */
export interface Outage {
  /** @example "https://10.0.0.1:6443" */
  readonly server: string;
  readonly context: string;
  /** The system's or OpenSSL's code. @example "ECONNREFUSED" */
  readonly code: string;
  readonly message: string;
}

/** What a broken connection means, by its code (errno, and node's names of OpenSSL's verdicts). */
export function explainOutage({ server, context, code, message }: Outage): UserError {
  const [why, fix] = outage(code, message, context);
  return new UserError(`the API server ${server} (context ${context}) can't be reached: ${why}`, fix);
}

function outage(code: string, message: string, context: string): readonly [why: string, fix: string] {
  const start = `start the cluster (minikube start), or name a context that runs (now ${context})`;
  switch (code) {
    case "ECONNREFUSED":
      return ["nothing listens there", start];
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return ["its name is unknown", "correct the server in the kubeconfig, or look at DNS and the VPN"];
    case "ETIMEDOUT":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "ABORT_ERR":
      return ["it does not answer", `look at the network and the VPN; ${start}`];
    case "NO_JSON":
      return [
        "what answers there speaks no JSON: it is a proxy, a page to log in, or another server",
        `correct the server in the kubeconfig, or look at HTTPS_PROXY and the VPN; try it: kubectl --context ${context} version`,
      ];
    case "CERT_HAS_EXPIRED":
      return [
        "its certificate has expired",
        "renew the cluster's certificates: kubeadm certs renew all, or minikube delete and start",
      ];
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return [
        `its certificate is for another name (${message})`,
        "correct the server, or tls-server-name, in the kubeconfig",
      ];
    case "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA":
    case "ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE":
    case "ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED":
      return ["it does not accept the client certificate", "get a new kubeconfig from whoever runs the cluster"];
    default:
      if (
        /self.signed|unable to verify|unable to get (?:local )?issuer|DEPTH_ZERO|UNABLE_TO/i.test(`${code} ${message}`)
      )
        return [
          "its certificate is signed by an authority that the kubeconfig does not name",
          "it may be another cluster's kubeconfig: correct certificate-authority-data",
        ];
      return [message || code, `look at it: kubectl --context ${context} version`];
  }
}
