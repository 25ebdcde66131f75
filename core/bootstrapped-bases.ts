import type { LockedBase } from "./base.ts";
import type { Finding } from "./finding.ts";
import type { PlannedBase } from "./plan.ts";
import { parseReference } from "./reference.ts";

/**
 * Bases that a stack makes from packages without having asked for it and pushes where others pull: told, since people
 * there take them for upstream's.
 * @param registry host, or `embedded`
 * @example bootstrappedAway("ghcr.io", "acme", plan.bases, lock.bases)[0]?.rule // "bases/bootstrapped"
 */
export function bootstrappedAway(
  registry: string,
  prefix: string,
  planned: readonly PlannedBase[],
  locked: readonly LockedBase[],
): Finding[] {
  if (registry === "embedded" || /^(?:localhost|127\.[\d.]+)(?::|$)/.test(registry)) return [];
  return planned
    .filter(({ origin }) => origin === "bootstrapped")
    .map(({ name, lock }) => {
      const digest = locked.find((base) => base.name === name)?.digest;
      const { host, repository } = parseReference(name);
      const why =
        digest === undefined
          ? `images/bases.lock.json has no digest of ${host}'s`
          : `${host} does not give ${digest} to this machine`;
      const fix =
        digest === undefined ? "run `npm run keelson -- bases update` where it answers, and commit the lock" : "";
      return {
        rule: "bases/bootstrapped",
        severity: "warning",
        subject: name,
        message:
          lock === undefined
            ? `is made from its locked packages and pushed to ${[registry, prefix, repository].filter(Boolean).join("/")}: ${why}`
            : `is not what images have its files from, which go to ${[registry, prefix].filter(Boolean).join("/")}, but ${lock}: ${why}`,
        fix: `${fix || `let this machine reach ${host}`}; or set keelson:bases to bootstrapped, where that is wanted`,
        where: { file: "images/bases.lock.json" },
      };
    });
}
