import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Vulnerability, vulnerabilitiesOf } from "../../../core/scan/advisory.ts";
import type { Held } from "../../../core/scan/query.ts";
import { parseAnswer } from "../../../toolchain/scan/answer.ts";

export const FIXTURES = join(import.meta.dirname, "../../fixtures/scan");

const held = (ecosystem: string, name: string, version: string, ...images: string[]): Held => ({
  ecosystem,
  name,
  version,
  images,
});

/** What the recorded answer was asked about. */
export const PACKAGES: readonly Held[] = [
  held("Debian:12", "bash", "5.2.15-2", "base", "web"),
  held("Debian:12", "glibc", "2.36-9+deb12u10", "base", "web"),
  held("Debian:12", "openssl", "3.0.15-1~deb12u1", "base", "web", "worker", "todo", "weft"),
  held("Go", "golang.org/x/sys", "0.1.0", "worker"),
  held("Go", "stdlib", "1.26.8", "worker"),
  held("PyPI", "jinja2", "3.1.4", "web"),
  held("npm", "left-pud", "1.0.0", "todo"),
  held("npm", "ms", "2.1.3", "todo"),
];

/** osv-scanner's own words. */
export const recordedText = (): string => readFileSync(join(FIXTURES, "answer.json"), "utf8");

export const recorded = (): Vulnerability[] => parseAnswer(recordedText(), PACKAGES.length).flatMap(vulnerabilitiesOf);
