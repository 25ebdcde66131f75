import type { Values } from "../common/values.ts";

/** The provider's config, as the official plugin reads it; switches may come from the environment, too. */
export interface Settings {
  /** A path, or the text itself; default: KUBECONFIG, ~/.kube/config, or the pod's own account. */
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly cluster: string | undefined;
  /** For objects that name none; default: that of the context, else `default`. */
  readonly namespace: string | undefined;
  readonly enablePatchForce: boolean;
  readonly upsertExistingObjects: boolean;
  readonly enableConfigMapMutable: boolean;
  readonly enableSecretMutable: boolean;
  readonly deleteUnreachable: boolean;
  readonly skipUpdateUnreachable: boolean;
}

/** Settings of the official plugin that this one has not. */
const UNSERVED = ["renderYamlToDirectory", "strictMode"];

export function readSettings(values: Values, environment: Readonly<Record<string, string | undefined>>): Settings {
  const text = (name: string) => {
    const value = values[name];
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const isOn = (name: string, variable: string) => String(values[name] ?? environment[variable] ?? "") === "true";
  return {
    kubeconfig: text("kubeconfig"),
    context: text("context"),
    cluster: text("cluster"),
    namespace: text("namespace"),
    enablePatchForce: isOn("enablePatchForce", "PULUMI_K8S_ENABLE_PATCH_FORCE"),
    upsertExistingObjects: isOn("upsertExistingObjects", "PULUMI_K8S_UPSERT_EXISTING_OBJECTS"),
    enableConfigMapMutable: isOn("enableConfigMapMutable", "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE"),
    enableSecretMutable: isOn("enableSecretMutable", "PULUMI_K8S_ENABLE_SECRET_MUTABLE"),
    deleteUnreachable: isOn("deleteUnreachable", "PULUMI_K8S_DELETE_UNREACHABLE"),
    skipUpdateUnreachable: isOn("skipUpdateUnreachable", "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE"),
  };
}

/** Settings that would be passed over in silence. */
export function unserved(values: Values): string[] {
  const asked = UNSERVED.filter((name) => !["", "false", "undefined"].includes(String(values[name] ?? "")));
  return values.enableServerSideApply === "false" || values.enableServerSideApply === false
    ? [...asked, "enableServerSideApply"]
    : asked;
}
