import { canonicalJson } from "../hash.ts";

/** Says of a StatefulSet that what it keeps is worth more than a change of its volumes, for which it would be made anew. */
export const KEEPS_DATA = "keelson.dev/keeps-data";

/** The parts of a StatefulSet that are looked at; anything may be missing. */
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

/**
 * What is to be said of a change that would make a StatefulSet anew which keeps data: Kubernetes changes no
 * `volumeClaimTemplates`, and a volume that is there stays as it is under a new set.
 * @returns undefined where nothing of the kind changes, or the set does not say that it keeps data
 */
export function volumesChange(before: unknown, after: unknown): string | undefined {
  const [old, wanted] = [(before ?? {}) as Set, (after ?? {}) as Set];
  if (wanted.kind !== "StatefulSet" || wanted.metadata?.annotations?.[KEEPS_DATA] !== "true") return undefined;
  const { name = "", namespace = "" } = wanted.metadata;
  if (old.metadata?.name !== name || old.metadata.namespace !== namespace) return undefined;
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
