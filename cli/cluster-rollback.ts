import { UserError } from "../core/error.ts";
import { at } from "../core/kubernetes/applied.ts";
import type { ReplicaSet } from "../core/kubernetes/objects.ts";
import { revisionBefore, templateBefore } from "../core/kubernetes/revision.ts";
import { ROLLED_BACK } from "../core/kubernetes/rollback.ts";
import { versionChanges } from "../core/kubernetes/version-changes.ts";
import { imagesOf, isSameVersion, revisionsOf, settingsOf } from "../core/kubernetes/workload-status.ts";
import { printable } from "../core/printable.ts";
import { type KubernetesObject, nameOf, withValue } from "../plugins/kubernetes/object.ts";
import { type Around, updateObject } from "../plugins/kubernetes/resource.ts";
import { NotReadyError } from "../plugins/kubernetes/wait.ts";
import { selectorOf } from "../plugins/kubernetes/waiters.ts";
import { requireOnNode } from "../toolchain/minikube.ts";
import { findWorkload, type OpenCluster } from "./cluster-session.ts";
import type { Listener } from "./host-session.ts";

/** Brings a Deployment back to a version that it keeps, in the way of every update: the pods of now serve until those are ready. */
export async function clusterRollback(
  cluster: OpenCluster,
  [service = "", digest]: readonly string[],
  listener: Listener,
  stack: string,
): Promise<number> {
  const workload = await findWorkload(cluster, service);
  const { kind, namespace, applied, live } = workload;
  if (kind !== "Deployment" || applied === undefined)
    throw new UserError(
      `${service} is ${applied === undefined ? "a chart's" : `a ${kind}`}: only applications of the stack go back`,
      applied === undefined ? "see `helm rollback`" : "change its version in the stack's file",
    );
  const replicaSet = { apiVersion: "apps/v1", kind: "ReplicaSet" };
  const sets = await cluster.api.list(replicaSet, namespace, { labelSelector: selectorOf(live) });
  const revisions = revisionsOf(at(live, "metadata", "uid") as string, sets as ReplicaSet[]);
  const found = templateBefore(service, revisions, digest);
  const settings = await settingsBetween(cluster, namespace, at(live, "spec", "template"), found);
  const isThere = (of: "ConfigMap" | "Secret", name: string) => settings.has(`${of} ${name}`);
  const { template, image, lost } = revisionBefore(service, live, found, isThere);
  const { profile } = cluster;
  // Loaded images have such names; all others are a registry's.
  if (profile !== undefined && /:sha256-[0-9a-f]+$/.test(image))
    await requireOnNode(profile, image, async () => {
      const { loadAgain } = await import("./minikube.ts");
      const done = await loadAgain(stack, image, profile);
      if (done !== undefined) listener.stderr(Buffer.from(`${done}\n`));
      return done !== undefined;
    });
  const say = (line: string) => listener.stderr(Buffer.from(`${line}\n`));
  if (lost.length > 0) say(`${service}: its settings of then are gone (${lost.join(", ")}); it gets those of now`);
  const inputs = applied.inputs as KubernetesObject;
  const mark = isSameVersion(template, at(inputs, "spec", "template")) ? undefined : "true";
  const before = withTemplate(inputs, at(live, "spec", "template"));
  const wanted = withValue(withTemplate(inputs, template), ["metadata", "annotations", ROLLED_BACK], mark);
  const around: Around = {
    ...{ cluster: cluster.api, settings: cluster.settings, fieldManager: applied.manager, preview: false, timeout: 0 },
    ...{ status: () => {}, warn: say },
  };
  try {
    await updateObject(live, wanted, [], around);
  } catch (error) {
    const attempt = { what: `roll back ${service}`, verb: "patch", resource: "deployments.apps", namespace };
    const whole = { ...attempt, name: nameOf(live), fieldManager: applied.manager };
    if (!(error instanceof NotReadyError)) throw await cluster.api.explained(error, whole);
    try {
      await updateObject(live, before, [], around);
    } catch (second) {
      const told = await cluster.api.explained(second, whole);
      throw new UserError(
        `${error.message}\nand it could not be brought back to what it ran: ${(told as Error).message}`,
        `see what runs: keelson status ${cluster.name}`,
      );
    }
    throw new UserError(`${error.message}\n${service} runs what it ran`, "go back to another version, by its digest");
  }
  const now = at(live, "spec", "template");
  const [running] = imagesOf(now);
  const dataOf = (name: string) =>
    settings.get(`ConfigMap ${name}`)?.data as Readonly<Record<string, string>> | undefined;
  const moved = running === image ? `${image} as before, with other settings` : `${running} -> ${image}`;
  for (const line of [moved, ...versionChanges(now, template, dataOf).map((change) => `  ${printable(change)}`)])
    listener.stdout(Buffer.from(`${line === moved ? `${service}: ` : ""}${line}\n`));
  return 0;
}

/**
 * What is there of the settings that two versions name, by kind and name. Of Secrets only those are asked for that the second
 * one needs: nobody is to read others.
 */
async function settingsBetween(
  cluster: OpenCluster,
  namespace: string,
  now: unknown,
  then: unknown,
): Promise<ReadonlyMap<string, KubernetesObject>> {
  const asked = [...settingsOf(now).filter(({ kind }) => kind === "ConfigMap"), ...settingsOf(then)];
  const read = async (kind: string, name: string): Promise<[string, KubernetesObject | undefined]> => [
    `${kind} ${name}`,
    await cluster.api.read({ apiVersion: "v1", kind, namespace, name }),
  ];
  const all = await Promise.all(asked.map(({ kind, name }) => read(kind, name)));
  return new Map(all.flatMap(([key, object]) => (object === undefined ? [] : [[key, object]])));
}

/** What the stack applied, with another template. */
function withTemplate(inputs: KubernetesObject, template: unknown): KubernetesObject {
  return { ...inputs, spec: { ...(inputs.spec as KubernetesObject), template: template as KubernetesObject } };
}
