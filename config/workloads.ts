import { z } from "zod";
import { NAME } from "../core/host/service.ts";
import { type ServicesConfig, serviceSchema } from "./hosts.ts";
import { type AppsConfig, appSchema } from "./kubernetes.ts";

const name = z.string().regex(NAME, "1 to 40 lower case letters, digits and dashes");

/** A workload is judged by what it says to run on: the other's keys would only confuse. */
const workload = z.unknown().transform((value, context) => {
  const isApp = typeof value === "object" && value !== null && "kubernetes" in value;
  if (isApp && "hosts" in value) {
    context.addIssue("either `hosts` or `kubernetes`: it runs on hosts, or on a cluster");
    return z.NEVER;
  }
  const parsed = isApp ? appSchema.safeParse(value) : serviceSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) context.issues.push({ ...issue, input: value } as never);
  return z.NEVER;
});

/** `keelson:workloads`: what runs on hosts, or on a cluster of `keelson:kubernetes`. */
export const workloadsSchema = z.record(name, workload);

export type WorkloadsConfig = z.infer<typeof workloadsSchema>;

/** Workloads by where they run. */
export function byTarget(workloads: WorkloadsConfig): { readonly services: ServicesConfig; readonly apps: AppsConfig } {
  const services: Record<string, ServicesConfig[string]> = {};
  const apps: Record<string, AppsConfig[string]> = {};
  for (const [key, entry] of Object.entries(workloads)) {
    if ("kubernetes" in entry) apps[key] = entry;
    else services[key] = entry;
  }
  return { services, apps };
}

/** The keys of either; those of parts that both have stand with hosts. */
export const WORKLOAD_KEYS: Readonly<Record<string, readonly string[]>> = {
  "workloads.*": [...new Set([...Object.keys(serviceSchema.shape), ...Object.keys(appSchema.shape)])].toSorted(),
  "workloads.*.replicas": ["min", "max", "cpu"],
  "workloads.*.resources": ["cpus", "memory"],
  "workloads.*.ingress": ["host", "className", "tlsSecret", "controllerNamespace"],
  "workloads.*.route": ["host", "gateway", "gatewayNamespace", "section"],
};
