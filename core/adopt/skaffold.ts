import { dockerfilePaths } from "./docker-cli.ts";
import type { FactList } from "./facts.ts";
import { joinPath } from "./path.ts";
import type { YamlValue } from "./yaml.ts";

/** Builders of skaffold that read no Dockerfile. Source: skaffold.dev, "Builders". */
const WITHOUT_DOCKERFILE = ["bazel", "buildpacks", "custom", "jib", "ko"];

/**
 * Adds the artifacts of a skaffold.yaml. Skaffold gives each a tag of its own, and puts it into the manifests and into the
 * arguments of those that require it.
 */
export function readSkaffold(file: string, top: YamlValue, facts: FactList): void {
  if (!top.get("apiVersion")?.text?.startsWith("skaffold/")) return;
  const build = top.get("build");
  const folder = joinPath("", file.slice(0, Math.max(0, file.lastIndexOf("/")))) ?? "";
  for (const artifact of build?.get("artifacts")?.items() ?? []) {
    const image = artifact.get("image")?.text;
    if (image === undefined) continue;
    const at = { file, line: artifact.line, by: "skaffold" as const };
    if (WITHOUT_DOCKERFILE.some((builder) => artifact.get(builder))) {
      facts.pushes.push({ ...at, ref: `${image}:*` });
      continue;
    }
    const docker = artifact.get("docker") ?? artifact.get("kaniko");
    const context = artifact.get("context")?.text ?? artifact.get("workspace")?.text ?? ".";
    const dockerfile = docker?.get("dockerfile")?.text;
    const target = docker?.get("target")?.text;
    const required = (artifact.get("requires")?.items() ?? []).flatMap((one) => {
      const name = one.get("image")?.text;
      return name === undefined ? [] : [{ name, alias: one.get("alias")?.text ?? name }];
    });
    const platforms = artifact.get("platforms") ?? build?.get("platforms");
    facts.builds.push({
      ...at,
      name: image,
      dockerfiles: dockerfilePaths(
        [folder],
        context,
        dockerfile === undefined ? undefined : `${context}/${dockerfile}`,
      ),
      args: Object.fromEntries([
        ...(docker?.get("buildArgs")?.entries() ?? []).map(([name, value]) => [name, templated(value.text)] as const),
        ...required.map(({ name, alias }) => [alias, name] as const),
      ]),
      contexts: Object.fromEntries(required.map(({ name }) => [name, `target:${name}`])),
      tags: [`${image}:*`],
      platforms: (platforms?.items() ?? []).flatMap(({ text }) => text ?? []),
      pushes: true,
      ...(target === undefined ? {} : { target }),
    });
  }
}

/** Values may hold Go templates, which only a run knows. */
function templated(text: string | undefined): string | undefined {
  return text?.replace(/\{\{[^{}]*\}\}/g, "*");
}
