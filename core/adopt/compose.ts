import { posix } from "node:path";
import { containerPort, dockerfilePaths } from "./docker-cli.ts";
import type { FactList, PortSetting, SizeSetting } from "./facts.ts";
import { type Environment, interpolate } from "./interpolate.ts";
import { bytesOf } from "./units.ts";
import type { YamlValue } from "./yaml.ts";

/**
 * Adds what a compose file says: services that build, services that run an image.
 * @param env what the `.env` file beside it holds.
 */
export function readCompose(file: string, top: YamlValue, facts: FactList, env: Environment): void {
  const reader = new ComposeReader(file, env);
  for (const [name, service] of top.get("services")?.entries() ?? []) reader.service(name, service, facts);
}

class ComposeReader {
  private readonly file: string;
  private readonly env: Environment;

  constructor(file: string, env: Environment) {
    this.file = file;
    this.env = env;
  }

  service(name: string, service: YamlValue, facts: FactList): void {
    const image = service.get("image");
    const build = service.get("build");
    if (build) this.build(name, build, image, facts);
    if (image?.text === undefined && !build) return;
    facts.uses.push({
      file: this.file,
      line: (image ?? service).line,
      by: "compose",
      name,
      ref: this.text(image) ?? "*",
      ports: [...list(service.get("ports")), ...list(service.get("expose"))].flatMap((port) => this.port(port)),
      sizes: this.sizes(service),
      builtHere: build !== undefined,
    });
  }

  private build(service: string, build: YamlValue, image: YamlValue | undefined, facts: FactList): void {
    // An inline Dockerfile stands in no file that others could share.
    if (build.get("dockerfile_inline")) return;
    const context = this.text(build.isMap ? build.get("context") : build) ?? ".";
    const dockerfile = this.text(build.get("dockerfile"));
    const path = dockerfile === undefined ? undefined : `${context}/${dockerfile}`;
    const folder = posix.dirname(this.file) === "." ? "" : posix.dirname(this.file);
    const target = this.text(build.get("target"));
    const tag = this.text(image);
    facts.builds.push({
      file: this.file,
      line: build.line,
      by: "compose",
      name: service,
      dockerfiles: dockerfilePaths([folder], context, path),
      args: this.pairs(build.get("args")),
      contexts: known(this.pairs(build.get("additional_contexts"))),
      tags: [...(tag === undefined ? [] : [tag]), ...this.texts(build.get("tags"))],
      platforms: this.texts(build.get("platforms")),
      pushes: false,
      ...(target === undefined ? {} : { target }),
    });
  }

  private text(value: YamlValue | undefined): string | undefined {
    return value?.text === undefined ? undefined : interpolate(value.text, this.env);
  }

  private texts(value: YamlValue | undefined): string[] {
    return list(value).flatMap((item) => this.text(item) ?? []);
  }

  /** `NAME: value` as a mapping or `NAME=value` as a list; undefined for a name whose value the environment gives. */
  private pairs(value: YamlValue | undefined): Record<string, string | undefined> {
    if (value?.isMap) return Object.fromEntries(value.entries().map(([name, one]) => [name, this.text(one)]));
    return Object.fromEntries(
      this.texts(value).map((pair) => {
        const at = pair.indexOf("=");
        return at < 0 ? [pair, undefined] : [pair.slice(0, at), pair.slice(at + 1)];
      }),
    );
  }

  private port(port: YamlValue): PortSetting[] {
    const text = this.text(port.isMap ? port.get("target") : port);
    return text === undefined ? [] : containerPort(text, { file: this.file, line: port.line });
  }

  private sizes(service: YamlValue): SizeSetting[] {
    const limits = service.get("deploy")?.get("resources")?.get("limits");
    return [
      ...this.size("memory limit", limits?.get("memory") ?? service.get("mem_limit")),
      ...this.size("shared memory", service.get("shm_size")),
    ];
  }

  private size(what: SizeSetting["what"], value: YamlValue | undefined): SizeSetting[] {
    const written = this.text(value);
    const bytes = written === undefined ? undefined : bytesOf(written);
    if (value === undefined || written === undefined || bytes === undefined) return [];
    return [{ file: this.file, line: value.line, what, written, bytes }];
  }
}

/** Items of a list; a mapping or scalar counts as one item. */
function list(value: YamlValue | undefined): readonly YamlValue[] {
  return value === undefined ? [] : value.isList ? value.items() : [value];
}

function known(record: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(record).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
