import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../core/error.ts";
import type { Finding } from "../core/finding.ts";
import { nativePlatform } from "../toolchain/platform.ts";
import { locate } from "./config-lines.ts";
import { ConfigError } from "./diagnostics.ts";
import { loadPlan } from "./load.ts";
import type { StackConfig } from "./schema.ts";
import { readStackFile } from "./stack-file.ts";

/**
 * {@link readStackFile}; where the config can't be used, the names in it that nothing has are told with all the rest.
 * @throws UserError for a stack without a file; ConfigError with all that is wrong in it.
 */
export async function readStack(root: string, stack: string): Promise<StackConfig> {
  try {
    return readStackFile(root, stack);
  } catch (error) {
    throw await withUnknownNames(root, stack, error);
  }
}

/** A config's error with lines, and with what only the plan of its other keys shows: images, services and sources that there are none of. */
export async function withUnknownNames(root: string, stack: string, error: unknown): Promise<unknown> {
  if (!(error instanceof ConfigError)) return error;
  const { file, findings, rest } = error;
  const named = rest === undefined ? [] : (await namesOf(root, stack, rest)).filter((one) => !isThere(one, findings));
  const told = new Set(findings.map(({ subject }) => subject));
  const more = named.filter(({ subject }) => !told.has(subject)).map((f) => ({ ...f, where: f.where ?? { file } }));
  const text = await readFile(join(root, file), "utf8").catch(() => "");
  return new ConfigError(file, locate([...findings, ...more], text, file), rest);
}

/** What says that a name is none, by its rule: the key that the name would stand below. */
const UNKNOWN: Readonly<Record<string, string>> = {
  "host/unknown": "hosts",
  "kubernetes/unknown": "kubernetes",
  "kubernetes/unknown-after": "workloads",
};

/** A host, cluster or workload that stands there, and can't be used as it does, is no unknown one. */
function isThere({ rule, message }: Finding, findings: readonly Finding[]): boolean {
  const key = UNKNOWN[rule];
  if (key === undefined) return false;
  const broken = findings.flatMap(({ subject }) => {
    const [of, name] = subject.replace(/^keelson:/, "").split(".", 2);
    return of === key && name !== undefined ? [name] : [];
  });
  return broken.some((name) => message.startsWith(`"${name}" `));
}

async function namesOf(root: string, stack: string, config: StackConfig): Promise<Finding[]> {
  try {
    const around = { host: nativePlatform() ?? ("linux/amd64" as const), revision: undefined };
    const { findings } = await loadPlan(root, stack, config, around);
    return findings.filter((f) => f.severity === "error" && f.subject.startsWith("keelson:"));
  } catch (error) {
    if (error instanceof UserError) return []; // a catalogue that can't be read is told when the config is right
    throw error;
  }
}
