import type { Finding } from "../core/finding.ts";
import type { StackConfig } from "./schema.ts";

/**
 * What keeps a stack's builds from GitHub's cache. They go on without it, so it is a warning.
 * @param environment of this process: buildx takes the token from there, which is in no argument and no state
 */
export function githubCacheFindings(
  { cache, imageResource }: Pick<StackConfig, "cache" | "imageResource">,
  environment: NodeJS.ProcessEnv,
): Finding[] {
  if (cache !== "gha") return [];
  const finding = (message: string, fix: string): Finding => ({
    rule: "cache/gha",
    severity: "warning",
    subject: "keelson:cache",
    message: `is gha, but ${message}: builds go without it`,
    fix,
  });
  if (imageResource === "docker-build")
    return [
      finding(
        "docker-build passes GitHub's token to no build",
        "set keelson:imageResource to keelson, or keelson:cache to registry",
      ),
    ];
  const missing = ["ACTIONS_RUNTIME_TOKEN", "ACTIONS_RESULTS_URL"].filter((name) => !environment[name]);
  if (missing.length === 0) return [];
  return [
    finding(
      `${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} not set`,
      "in a workflow, let crazy-max/ghaction-github-runtime run before; elsewhere set keelson:cache to registry",
    ),
  ];
}
