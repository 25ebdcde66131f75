import { z } from "zod";
import { RATINGS } from "../core/scan/severity.ts";

const severity = z.enum(["error", "warning", "info", "off"]);
const today = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/;

/** Where osv.dev exports its database to (google.github.io/osv.dev/data), in the form that {@link scanSchema} wants. */
const EXPORT = "https://osv-vulnerabilities.storage.googleapis.com";

const ignored = z
  .object({
    id: z.string().regex(/^[A-Za-z]+-[\w.:-]+$/, "a name such as CVE-2024-56201 or GHSA-gmj6-6f8f-6699"),
    package: z.string().min(1).optional(),
    image: z.string().min(1).optional(),
    reason: z.string().min(1),
    until: z.string().regex(today, "a day such as 2027-03-01").optional(),
  })
  .strict();

/** `keelson:scan`: what `keelson scan` looks packages up in, and what becomes of what it finds. */
export const scanSchema = z
  .object({
    database: z
      .string()
      .min(1)
      .refine((place) => !/^[a-z+]+:\/\//i.test(place) || /^https?:\/\/[^\s@]+$/.test(place), {
        error: "an address with http or https and without a login, or a folder",
      })
      .default(EXPORT),
    /** Seed 004: fail on HIGH and CRITICAL. */
    severity: z
      .object({
        critical: severity.default("error"),
        high: severity.default("error"),
        medium: severity.default("warning"),
        low: severity.default("info"),
        unknown: severity.default("warning"),
      })
      .strict()
      .prefault({}),
    unfixed: severity.default("warning"),
    ignore: z.array(ignored).default([]),
  })
  .strict()
  .prefault({});

export type ScanConfig = z.infer<typeof scanSchema>;

/** The keys that its objects take, for hints. */
export const SCAN_KEYS: Readonly<Record<string, readonly string[]>> = {
  scan: ["database", "severity", "unfixed", "ignore"],
  "scan.severity": RATINGS,
  "scan.ignore.*": Object.keys(ignored.shape),
};
