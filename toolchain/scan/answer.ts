import { z } from "zod";
import type { ScannedPackage } from "../../core/scan/advisory.ts";

const strings = z.array(z.string());
const scannedPackage = z.object({
  package: z.object({ ecosystem: z.string(), name: z.string(), version: z.string() }),
  groups: z
    .array(
      z.object({
        ids: strings,
        aliases: strings.optional(),
        max_severity: z.string().optional(),
        experimental_analysis: z.record(z.string(), z.object({ unimportant: z.boolean().optional() })).optional(),
      }),
    )
    .optional(),
  vulnerabilities: z
    .array(
      z.object({
        id: z.string(),
        summary: z.string().optional(),
        details: z.string().optional(),
        severity: z.array(z.object({ type: z.string().optional(), score: z.string().optional() })).optional(),
        affected: z
          .array(
            z.object({
              package: z.object({ ecosystem: z.string(), name: z.string() }).optional(),
              ranges: z
                .array(z.object({ events: z.array(z.object({ fixed: z.string().optional() })).optional() }))
                .optional(),
            }),
          )
          .optional(),
        database_specific: z.object({ severity: z.unknown().optional() }).optional(),
      }),
    )
    .optional(),
});
const answerSchema = z.object({ results: z.array(z.object({ packages: z.array(scannedPackage) })) });

/**
 * What osv-scanner 2 wrote with `--format json --all-packages`.
 * @param asked number of packages: an answer for fewer would pass over some in silence
 * @throws RangeError
 */
export function parseAnswer(text: string, asked: number): ScannedPackage[] {
  const packages = read(text);
  if (packages.length !== asked) throw new RangeError(`of ${asked} packages it answers for ${packages.length}`);
  return packages;
}

function read(text: string): ScannedPackage[] {
  try {
    return answerSchema.parse(JSON.parse(text)).results.flatMap((result) => result.packages);
  } catch (cause) {
    throw new RangeError("what it wrote is no list of packages", { cause });
  }
}
