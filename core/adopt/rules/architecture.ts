import type { Dockerfile, Stage } from "../../dockerfile.ts";
import type { Finding } from "../../finding.ts";
import { isKnown } from "../pattern.ts";
import { runCommands } from "../run-commands.ts";
import type { AdoptedTree } from "../tree.ts";
import { unique } from "./sources.ts";

const ARCH =
  /(?:^|[^a-z0-9])(amd64|x86[-_]64|x64|linux64|arm64|aarch64|armv[67]l?|armhf|arm32v7|i[36]86)(?:[^a-z0-9]|$)/i;
/** What a file does that minds the platform it is built for. */
const MINDS_PLATFORM =
  /TARGETARCH|TARGETPLATFORM|TARGETVARIANT|BUILDARCH|dpkg\s+--print-architecture|apk\s+--print-arch|uname\s+-m|\$\(arch\)|rpm\s+(?:-E|--eval)/;

/** URLs and FROMs for one architecture, in images that are built for several. */
export function oneArchitecture(tree: AdoptedTree): Finding[] {
  return unique(
    tree.files.flatMap((file) => {
      const platforms = platformsOf(tree, file);
      const why = multiArch(file, platforms);
      return why === undefined ? [] : [...fromFindings(file, why), ...urlFindings(file, why)];
    }),
  );
}

function platformsOf(tree: AdoptedTree, file: Dockerfile): string[] {
  const images = tree.images.filter((image) => image.file === file);
  // One build for several platforms makes an image multi-arch; several builds for one each do not.
  return images.flatMap(({ builds }) =>
    builds.flatMap((build) => (new Set(build.platforms).size > 1 ? build.platforms : [])),
  );
}

function multiArch(file: Dockerfile, platforms: readonly string[]): string | undefined {
  if (platforms.length > 0) return `it is built for ${[...new Set(platforms)].join(", ")}`;
  const line = file.lines.findIndex((one) => /TARGETARCH|TARGETPLATFORM/.test(one) && !/^\s*#/.test(one));
  return line < 0 ? undefined : `it minds the platform in line ${line + 1}`;
}

function fromFindings(file: Dockerfile, why: string): Finding[] {
  return file.stages.flatMap(({ from }): Finding[] => {
    if (from.platform === undefined || from.platform.includes("$") || !isKnown(from.platform)) return [];
    return [
      finding(
        file,
        from.line,
        `FROM --platform=${from.platform} fixes one platform, and ${why}`,
        "write --platform=$BUILDPLATFORM for a build step, or leave it out",
      ),
    ];
  });
}

function urlFindings(file: Dockerfile, why: string): Finding[] {
  return file.stages.flatMap((stage) =>
    stage.instructions.flatMap((instruction) => {
      if (runsOnBuilder(stage)) return [];
      if (instruction.keyword === "ADD")
        return instruction.sources.flatMap((source) => judge(file, source, instruction.line, why));
      if (instruction.keyword === "ENV")
        return instruction.pairs.flatMap(({ value }) => judge(file, value, instruction.line, why));
      if (instruction.keyword === "ARG")
        return instruction.args.flatMap(({ value }) => judge(file, value ?? "", instruction.line, why));
      if (instruction.keyword !== "RUN" || mindsPlatform(file, instruction.line, instruction.endLine)) return [];
      return runCommands(file, instruction).flatMap(({ words, line }) =>
        words.flatMap((word) => judge(file, word, line, why)),
      );
    }),
  );
}

/** A stage of the building machine's platform fetches tools for that one. */
function runsOnBuilder({ from }: Stage): boolean {
  return from.platform !== undefined && /BUILDPLATFORM/.test(from.platform);
}

function mindsPlatform(file: Dockerfile, from: number, to: number): boolean {
  const text = file.lines.slice(from - 1, to).join("\n");
  if (MINDS_PLATFORM.test(text)) return true;
  // A case over the architectures names several.
  return /amd64|x86_64/.test(text) && /arm64|aarch64/.test(text);
}

function judge(file: Dockerfile, word: string, line: number, why: string): Finding[] {
  const url = /https?:\/\/[^\s"']+/.exec(word)?.[0];
  const arch = url === undefined ? undefined : ARCH.exec(url.replace(/^https?:\/\/[^/]*/, ""))?.[1];
  if (url === undefined || arch === undefined) return [];
  return [
    finding(
      file,
      line,
      `a download for ${arch} alone, and ${why}`,
      "put ARG TARGETARCH into the URL, or choose the file by it",
    ),
  ];
}

function finding(file: Dockerfile, line: number, message: string, fix: string): Finding {
  return {
    rule: "adopt/one-architecture",
    severity: "error",
    subject: file.file,
    message,
    fix,
    where: { file: file.file, line },
  };
}
