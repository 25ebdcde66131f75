import { canonicalJson } from "../hash.ts";

/**
 * Says of a StatefulSet that what it keeps is worth more than a change for which it would be made anew: "true". On a Secret it is the name
 * of the StatefulSet whose data it opens.
 */
export const KEEPS_DATA = "keelson.dev/keeps-data";

/** The parts of a StatefulSet, or of its Secret, that are looked at; anything may be missing. */
interface Set {
  readonly kind?: string;
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly annotations?: Readonly<Record<string, unknown>>;
  };
  readonly spec?: {
    readonly replicas?: number;
    readonly volumeClaimTemplates?: readonly {
      readonly metadata?: { readonly name?: string };
      readonly spec?: { readonly resources?: { readonly requests?: { readonly storage?: string } } };
    }[];
  };
}

/** What stands against a change, and where. */
export interface DataProblem {
  readonly property: "metadata.namespace" | "spec.volumeClaimTemplates";
  readonly reason: string;
}

/**
 * What is to be said of a change that would make a StatefulSet anew which keeps data, in another namespace or with other
 * volumes: neither moves, and the new set would be empty.
 * @returns undefined where nothing of the kind changes, or the set does not say that it keeps data
 */
export function dataProblem(before: unknown, after: unknown): DataProblem | undefined {
  const [old, wanted] = [(before ?? {}) as Set, (after ?? {}) as Set];
  const { name = "", namespace, annotations = {} } = wanted.metadata ?? {};
  const kept = annotations[KEEPS_DATA];
  const isSet = wanted.kind === "StatefulSet" && kept === "true";
  if (!isSet && (wanted.kind !== "Secret" || typeof kept !== "string")) return undefined;
  const was = old.metadata?.namespace;
  // In a preview it may not be known yet, and is no text then.
  if (old.metadata?.name !== name || typeof was !== "string" || typeof namespace !== "string") return undefined;
  if (was !== namespace)
    return {
      property: "metadata.namespace",
      reason: namespaceChange(was, namespace, isSet ? [name] : [String(kept), name]),
    };
  if (!isSet) return undefined;
  const reason = volumesChange(old, wanted, name, namespace);
  return reason === undefined ? undefined : { property: "spec.volumeClaimTemplates", reason };
}

function namespaceChange(from: string, to: string, [name = "", secret]: readonly string[]): string {
  const both = `statefulset/${name}${secret === undefined ? "" : ` secret/${secret}`}`;
  return (
    `the data of ${name} is in namespace ${from}, and does not move: one in namespace ${to} would be empty, and namespace ${from}, where ` +
    "the stack made it, would go with all that it keeps. Take the namespace back as it was; or write a database of another name in " +
    `namespace ${to} beside it, bring the data over (keelson exec … pg_dump), and take ${name} out then; or, without the data: ` +
    `kubectl -n ${from} delete ${both}, then npm run up -- --refresh`
  );
}

/** Kubernetes changes no `volumeClaimTemplates`, and a volume that is there stays as it is under a new set. */
function volumesChange(old: Set, wanted: Set, name: string, namespace: string): string | undefined {
  const [there, next] = [claims(old), claims(wanted)];
  if (canonicalJson(there) === canonicalJson(next)) return undefined;
  const kubectl = `kubectl -n ${namespace}`;
  const remake = `${kubectl} delete statefulset ${name}`;
  if (there.length === 0 || next.length === 0) {
    const [has, wants] = there.length === 0 ? ["its pod's", "on a volume"] : ["on a volume", "its pod's"];
    return `the data of ${namespace}/${name} is ${has}, and does not move to be ${wants}: a new set would be empty. Take the size back as it was; or dump the data first (keelson exec … pg_dumpall), then ${remake}, npm run up -- --refresh, and put it back`;
  }
  const [was, wish] = [sizeOf(there), sizeOf(next)];
  const back = `volumes of ${namespace}/${name} have ${was || "what they have"} and would keep it: Kubernetes changes none of a StatefulSet, and a new set stops the database for nothing. Take it back as it was`;
  if (was === wish || wish === "") return back;
  const claim = `${there[0]?.metadata?.name ?? "data"}-${name}-0`;
  const patch = JSON.stringify({ spec: { resources: { requests: { storage: wish } } } });
  return `${back}; or, to grow it where its StorageClass can: ${kubectl} patch pvc ${claim} -p '${patch}', ${remake} --cascade=orphan (its pod goes on), then npm run up -- --refresh`;
}

function claims({ spec }: Set): NonNullable<NonNullable<Set["spec"]>["volumeClaimTemplates"]> {
  return spec?.volumeClaimTemplates ?? [];
}

function sizeOf([first]: ReturnType<typeof claims>): string {
  return first?.spec?.resources?.requests?.storage ?? "";
}
