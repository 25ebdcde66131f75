import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { execa } from "execa";
import { z } from "zod";

const operation = z.looseObject({ type: z.string(), resource: z.looseObject({ urn: z.string(), type: z.string() }) });
const deployment = z.looseObject({ pending_operations: z.array(operation).nullish() });
const checkpoint = z.looseObject({ checkpoint: z.looseObject({ latest: deployment.nullish() }) });

/** An operation whose outcome the engine does not know, since it was ended in its middle. */
export interface Interrupted {
  /** @example "small" */
  readonly name: string;
  /** @example "keelson:index:Image" */
  readonly type: string;
}

/** Resources that look at what is there before they act: what was cut off is simply done again. */
const SELF_FINDING = /^keelson:index:/;

/**
 * Strikes from a stack of the local backend the operations that were cut off and that find out themselves how far they
 * came. The engine would warn of each, and ask people to look.
 * @returns the ones that were struck, and the others, which the engine tells of.
 */
export async function forgetInterrupted(
  state: string,
  project: string,
  stack: string,
  options: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Promise<{ readonly forgotten: Interrupted[]; readonly open: Interrupted[] }> {
  const pending = readInterrupted(state, project, stack);
  const forgotten = pending.filter(({ type }) => SELF_FINDING.test(type));
  const open = pending.filter(({ type }) => !SELF_FINDING.test(type));
  if (forgotten.length === 0) return { forgotten, open };
  const quiet = { ...options, reject: false } as const;
  const exported = await execa("pulumi", ["stack", "export", "--stack", stack], quiet);
  if (exported.failed) return { forgotten: [], open: pending };
  const exportSchema = z.looseObject({ deployment });
  const document = exportSchema.parse(JSON.parse(exported.stdout));
  const kept = (document.deployment.pending_operations ?? []).filter((o) => !SELF_FINDING.test(o.resource.type));
  const input = JSON.stringify({ ...document, deployment: { ...document.deployment, pending_operations: kept } });
  const imported = await execa("pulumi", ["stack", "import", "--stack", stack], { ...quiet, input });
  return imported.failed ? { forgotten: [], open: pending } : { forgotten, open };
}

/** What the stack's checkpoint says was cut off; nothing where there is none, or it can't be read. */
export function readInterrupted(state: string, project: string, stack: string): Interrupted[] {
  const file = join(state, ".pulumi", "stacks", project, `${stack}.json`);
  try {
    const text = existsSync(file)
      ? readFileSync(file, "utf8")
      : gunzipSync(readFileSync(`${file}.gz`)).toString("utf8");
    if (!text.includes('"pending_operations"')) return [];
    const { latest } = checkpoint.parse(JSON.parse(text)).checkpoint;
    return (latest?.pending_operations ?? []).map(({ resource }) => ({
      name: resource.urn.split("::").at(-1) ?? resource.urn,
      type: resource.type,
    }));
  } catch {
    return []; // no stack yet; or none that is read here, and then the engine says what is wrong with it
  }
}
