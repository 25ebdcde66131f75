import { diagnosePrisma, type PrismaDiagnosis } from "../prisma/diagnosis.ts";
import type { ContainerStatus, KubernetesEvent, Pod } from "./objects.ts";
import { lastLines, type Trouble, WITHOUT_POD } from "./trouble.ts";
import { kubectl } from "./words.ts";

/** A container, and what is known of it. */
export interface ContainerSubject {
  readonly pod: Pod;
  readonly status: ContainerStatus;
  readonly namespace: string;
  /** @example "deployment/todo-backend" */
  readonly workload: string;
  /** Has to end before the others start. */
  readonly isInit: boolean;
  /** Of this pod, the newest last. */
  readonly events: readonly KubernetesEvent[];
  /** What it, or the one before it, wrote. */
  readonly log: string | undefined;
}

type Diagnosis = Pick<Trouble, "verdict" | "cause" | "command" | "later">;

const UP = "npm run up";

/** What a container's state says; undefined for one that runs and is ready, or that just starts. */
export function containerTrouble(subject: ContainerSubject): Trouble | undefined {
  const { waiting, terminated } = subject.status.state ?? {};
  if (waiting !== undefined) return waitingTrouble(subject, waiting.reason ?? "", waiting.message ?? "");
  if (terminated !== undefined && terminated.exitCode !== 0)
    return trouble(subject, terminated.reason ?? "Error", terminated.message ?? "", ended(subject, "wait"));
  return undefined;
}

/** Reasons that only say that a container is on its way. */
const STARTING = ["", "ContainerCreating", "PodInitializing"];

function waitingTrouble(subject: ContainerSubject, reason: string, message: string): Trouble | undefined {
  if (STARTING.includes(reason)) return undefined;
  const said = `${message} ${pullMessage(subject)}`;
  switch (reason) {
    case "ErrImagePull":
    case "ImagePullBackOff":
    case "RegistryUnavailable":
      return trouble(subject, reason, message === "" ? pullMessage(subject) : message, pull(subject, said));
    case "InvalidImageName":
    case "ErrImageNeverPull":
      return trouble(subject, reason, message, unpullable(subject, reason));
    case "CreateContainerConfigError":
      return trouble(subject, reason, message, config(subject, message));
    case "CrashLoopBackOff":
      return {
        ...trouble(subject, reason, message, ended(subject, "fatal")),
        ...(subject.isInit ? { initRestarts: subject.status.restartCount ?? 0 } : {}),
      };
    case "RunContainerError":
    case "CreateContainerError":
      return trouble(
        subject,
        reason,
        message,
        unrunnable(subject, message) ?? look(subject, "the container can't be made"),
      );
    default:
      return trouble(subject, reason, message, look(subject, "Kubernetes waits for it"));
  }
}

/** Why a pull failed, where the state itself says only that it is tried again later. */
function pullMessage({ events }: ContainerSubject): string {
  return events.findLast(({ reason, message }) => reason === "Failed" && /pull/i.test(message ?? ""))?.message ?? "";
}

/** What registries and container runtimes say of an image that is not there; never of one that is merely away. */
const NOT_FOUND = /not found|manifest unknown|name unknown|does not exist|no such (?:image|manifest)/i;
const REFUSED = /unauthorized|authentication required|denied|forbidden|\b40[13]\b/i;
const OTHER_PLATFORM = /no match for platform|no matching manifest/i;

/** What Docker and containerd say of a repository that is not there as of one that is hidden: the registry does not tell. */
const HIDDEN = /pull access denied|repository does not exist/i;

/** An image that is not there stays away; a registry that does not answer may come back. Never fatal for the back-off alone. */
function pull({ status, namespace, workload }: ContainerSubject, said: string): Diagnosis {
  const image = status.image ?? "";
  if (OTHER_PLATFORM.test(said))
    return {
      verdict: "fatal",
      cause: `the registry has ${image}, and not for the node's platform`,
      command: "keelson plan, then npm run up with the node's platform in keelson:platforms",
    };
  if (HIDDEN.test(said) || (REFUSED.test(said) && isLocalName(image))) return hidden(image, said);
  if (REFUSED.test(said))
    return {
      verdict: "wait",
      cause: `the registry does not let the node pull ${image}: its pull secret is missing, expired, or for another host`,
      command: loginOf(image),
    };
  if (NOT_FOUND.test(said) && !/no such host/i.test(said))
    return {
      verdict: "fatal",
      cause: `the registry has no image ${image}: it was never pushed, or was deleted`,
      command: `npm run up, or back to the version before: ${kubectl(namespace, "rollout", "undo", workload)}`,
      later: `name an image that the registry has, or push this one; then ${UP}`,
    };
  return {
    verdict: "wait",
    cause: `the registry of ${image} does not answer the node`,
    command: kubectl(namespace, "get", "events", "--field-selector=reason=Failed"),
  };
}

/** A stack has one login, of the registry that it pushes to; what is pulled from there gets it. */
function loginOf(image: string): string {
  return `correct the login of ${hostOf(image)} (keelson:registry, where that is its host; of a chart pullSecrets, which names where it takes it); then ${UP}`;
}

/** Either it is not there, or the node may not see it: which of them, nobody says. */
function hidden(image: string, said: string): Diagnosis {
  const login = loginOf(image);
  if (!isLocalName(image))
    return {
      verdict: "wait",
      cause: `the registry does not show ${image} to the node: it was never pushed, or its pull secret is missing, expired, or for another host`,
      command: `push it; or ${login}`,
    };
  return {
    // Names of one word are Docker Hub's own images there, which everybody sees: no login brings one.
    verdict: HIDDEN.test(said) && !image.includes("/") ? "fatal" : "wait",
    cause: `the node has no image ${image}, whose name says no registry, and docker.io has none that it may see: it was not loaded into the node, or its pull secret is missing, expired, or for another host`,
    command: `load it: npm run keelson -- build-and-load, or minikube image load ${image} (with -p PROFILE where it has another than minikube); or ${login}`,
  };
}

/** True for a name without a registry's host: images of a Docker on this machine, and Docker Hub's. */
function isLocalName(image: string): boolean {
  return hostOf(image) === "docker.io" && !image.startsWith("docker.io/");
}

function hostOf(image: string): string {
  const first = image.split("/")[0] ?? "";
  return image.includes("/") && /[.:]|^localhost$/.test(first) ? first : "docker.io";
}

function unpullable({ status, namespace, workload }: ContainerSubject, reason: string): Diagnosis {
  const image = status.image ?? "";
  if (reason === "InvalidImageName")
    return {
      verdict: "fatal",
      cause: `${JSON.stringify(image)} is no name of an image`,
      command: kubectl(namespace, "rollout", "undo", workload),
      later: `correct its name; then ${UP}`,
    };
  return {
    verdict: "fatal",
    cause: `the node has no image ${image}, and imagePullPolicy Never keeps it from pulling`,
    command: `minikube image load ${image} (with -p PROFILE where it has another than minikube)`,
  };
}

/** A Secret or ConfigMap that is not there, a key that it lacks, a user that is root against the pod's own rule. */
function config({ namespace, workload, pod }: ContainerSubject, message: string): Diagnosis {
  const key = /couldn't find key (\S+) in (Secret|ConfigMap) (\S+)/.exec(message);
  const missing = /(secret|configmap) "([^"]+)" not found/i.exec(message);
  if (key !== null)
    return {
      verdict: "fatal",
      cause: `the ${key[2]} ${key[3]} has no key ${key[1]}`,
      command: kubectl(namespace, "describe", key[2]?.toLowerCase() ?? "", key[3]?.split("/").at(-1) ?? ""),
    };
  if (missing !== null) {
    const [kind = "", name = ""] = [missing[1]?.toLowerCase(), missing[2]];
    const words = kind === "secret" ? ["create", "secret", "generic", name] : ["create", "configmap", name];
    return {
      verdict: "fatal",
      cause: `the namespace ${namespace} has no ${kind} ${name}`,
      command: `${kubectl(namespace, ...words)} --from-literal=KEY=VALUE`,
    };
  }
  if (/runAsNonRoot|non-numeric user/.test(message))
    return {
      verdict: "fatal",
      cause: "the pod may not run as root, and its image does, or says its user by name",
      command: "write USER 10001:10001 in the Dockerfile's last stage, then npm run up",
    };
  return {
    verdict: "fatal",
    cause: "the container's settings can't be met",
    command: describePod(namespace, pod, workload),
    later: WITHOUT_POD,
  };
}

function unrunnable({ status, namespace, workload }: ContainerSubject, message: string): Diagnosis | undefined {
  const undo = kubectl(namespace, "rollout", "undo", workload);
  if (/exec format error/i.test(message))
    return {
      verdict: "fatal",
      cause: `the program in ${status.image ?? "the image"} is for another processor than the node's`,
      command: `build it for the node's platform (keelson:platforms); until then: ${undo}`,
      later: `build it for the node's platform (keelson:platforms); then ${UP}`,
    };
  const later = `correct the workload's command, or its image; then ${UP}`;
  if (/executable file not found|no such file or directory/i.test(message))
    return { verdict: "fatal", cause: "the command of the container is not in its image", command: undo, later };
  if (/permission denied/i.test(message))
    return { verdict: "fatal", cause: "the command of the container may not be run by its user", command: undo, later };
  return undefined;
}

/** A program that ended: by its last words where they are known, else by how it ended. */
function ended(subject: ContainerSubject, verdict: Trouble["verdict"]): Diagnosis {
  const { status, namespace, pod, workload, log, events } = subject;
  const name = pod.metadata?.name ?? "";
  const container = status.name ?? "";
  const last = status.lastState?.terminated ?? status.state?.terminated;
  const code = last?.exitCode;
  // A container that has ended and was not made anew, as a Job's, is itself the last one.
  const isBefore = status.state?.terminated === undefined;
  const logs = kubectl(namespace, "logs", name, "-c", container, ...(isBefore ? ["--previous"] : []));
  if (last?.reason === "OOMKilled") {
    const limit = pod.spec?.containers?.find((c) => c.name === container)?.resources?.limits?.memory;
    const owner = workload.split("/").at(-1);
    return {
      verdict,
      cause: `it needs more memory than its limit${limit === undefined ? "" : ` of ${limit}`}`,
      command: `raise resources.memory of ${owner} in the stack's keelson:workloads (of a chart: in its values); then ${UP}`,
    };
  }
  const broken = unrunnable(subject, `${last?.message ?? ""} ${last?.reason === "StartError" ? "" : execFailure(log)}`);
  if (broken !== undefined) return { ...broken, verdict };
  const words = lastWords(log ?? "");
  if (words !== undefined) return { verdict, cause: words.message, command: `${words.fix}; ${logs}`, later: words.fix };
  const probe = events.findLast(
    (e) => e.reason === "Unhealthy" && /^(?:Liveness|Startup) probe failed/.test(e.message ?? ""),
  );
  if (probe !== undefined && (code === 137 || code === 143 || code === 0))
    return {
      verdict,
      cause: `Kubernetes ended it, since its probe failed: ${probe.message}`,
      command: `${logs}; a start that takes longer needs a startupProbe with more time`,
      later: `${WITHOUT_POD}; a start that takes longer needs a startupProbe with more time`,
    };
  return {
    verdict,
    cause: EXITS[code ?? -1] ?? `the program ends by itself, with ${code ?? "an unknown code"}`,
    command: logs,
    later: WITHOUT_POD,
  };
}

/** A log in which Prisma speaks: others refuse connections, too. */
const PRISMA = /prisma|query[ _]engine|Can't reach database server|\bP[12]\d{3}\b/i;
/** What PostgreSQL itself says, whoever asked it. */
const POSTGRES: readonly PrismaDiagnosis["kind"][] = ["refused", "no-database", "not-migrated"];

/** What a program says of Prisma, or of its database. */
export function lastWords(log: string): PrismaDiagnosis | undefined {
  const found = diagnosePrisma(log);
  return found !== undefined && (PRISMA.test(log) || POSTGRES.includes(found.kind)) ? found : undefined;
}

/** A kernel's refusal that only the log has: shells print it before they end with 126. */
function execFailure(log: string | undefined): string {
  return /exec format error/i.exec(lastLines(log).join("\n"))?.[0] ?? "";
}

/** What exit codes stand for, by shells' convention: 128 and the signal's number. */
const EXITS: Readonly<Record<number, string>> = {
  0: "the program ends by itself, without an error: it is no service, or went into the background",
  126: "the command of the container can't be run",
  127: "the command of the container is not in its image",
  137: "it was killed: by its node for memory, or by its probe",
  139: "it crashed on a bad memory access (SIGSEGV)",
  143: "it was told to end (SIGTERM)",
};

function look({ namespace, pod, workload }: ContainerSubject, cause: string): Diagnosis {
  return { verdict: "wait", cause, command: describePod(namespace, pod, workload), later: WITHOUT_POD };
}

function describePod(namespace: string, { metadata }: Pod, workload: string): string {
  return metadata?.name === undefined
    ? kubectl(namespace, "describe", workload)
    : kubectl(namespace, "describe", "pod", metadata.name);
}

function trouble({ pod, status, log }: ContainerSubject, reason: string, message: string, found: Diagnosis): Trouble {
  const where = `pod ${pod.metadata?.name ?? "?"}, container ${status.name ?? "?"}`;
  return { ...found, where, reason, message: message.trim(), log: lastLines(log) };
}
