import type { Dockerfile, Stage } from "../../dockerfile.ts";
import type { Finding } from "../../finding.ts";
import type { AdoptedImage } from "../model.ts";
import { isKnown } from "../pattern.ts";
import { runCommands } from "../run-commands.ts";
import { stageLine } from "../stages.ts";
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
      const images = tree.images.filter((image) => image.file === file);
      const multi = multiArch(file, images);
      return multi === undefined ? [] : [...fromFindings(file, images, multi), ...urlFindings(file, multi)];
    }),
  );
}

interface MultiArch {
  /** How anyone knows. */
  readonly why: string;
  readonly severity: Finding["severity"];
}

function multiArch(file: Dockerfile, images: readonly AdoptedImage[]): MultiArch | undefined {
  // One build for several platforms makes an image multi-arch; several builds for one each do not.
  const platforms = images.flatMap(({ builds }) =>
    builds.flatMap((build) => (new Set(build.platforms).size > 1 ? build.platforms : [])),
  );
  if (platforms.length > 0) return { why: `it is built for ${[...new Set(platforms)].join(", ")}`, severity: "error" };
  const line = file.lines.findIndex((one) => /TARGETARCH|TARGETPLATFORM/.test(one) && !/^\s*#/.test(one));
  return line < 0 ? undefined : { why: `it minds the platform in line ${line + 1}`, severity: "warning" };
}

/**
 * FROMs that fix a platform. A file that has a stage for each architecture (`FROM base-${TARGETARCH}`) may fix those: only
 * what every platform's image is made of may not.
 */
function fromFindings(file: Dockerfile, images: readonly AdoptedImage[], { why, severity }: MultiArch): Finding[] {
  const byStage = file.stages.some(isNamedByArchitecture);
  const inEvery = new Set(images.flatMap((image) => stageLine(file, image.stage)));
  return file.stages.flatMap((stage): Finding[] => {
    const { platform, line } = stage.from;
    if (platform === undefined || platform.includes("$") || !isKnown(platform)) return [];
    if (isNamedByArchitecture(stage) || (byStage && !inEvery.has(stage))) return [];
    const message = `FROM --platform=${platform} fixes one platform, and ${why}`;
    const fix = "write --platform=$BUILDPLATFORM for a build step, or leave it out";
    return [finding(file, line, severity, message, fix)];
  });
}

function isNamedByArchitecture({ name }: Stage): boolean {
  return name !== undefined && ARCH.test(name);
}

/** Stages that are for one platform, or for the building machine's, by their FROM, their name or the stages before. */
function fixedStages(file: Dockerfile): ReadonlySet<Stage> {
  return new Set(
    file.stages.filter((stage) =>
      stageLine(file, stage).some(
        (one) =>
          isNamedByArchitecture(one) ||
          (one.from.platform !== undefined && !/\$\{?TARGETPLATFORM/.test(one.from.platform)),
      ),
    ),
  );
}

function urlFindings(file: Dockerfile, why: MultiArch): Finding[] {
  const fixed = fixedStages(file);
  return file.stages.flatMap((stage) =>
    stage.instructions.flatMap((instruction) => {
      if (fixed.has(stage)) return [];
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

function mindsPlatform(file: Dockerfile, from: number, to: number): boolean {
  const text = file.lines.slice(from - 1, to).join("\n");
  if (MINDS_PLATFORM.test(text)) return true;
  // A case over the architectures names several.
  return /amd64|x86_64/.test(text) && /arm64|aarch64/.test(text);
}

function judge(file: Dockerfile, word: string, line: number, { why, severity }: MultiArch): Finding[] {
  const url = /https?:\/\/[^\s"']+/.exec(word)?.[0];
  const arch = url === undefined ? undefined : ARCH.exec(url.replace(/^https?:\/\/[^/]*/, ""))?.[1];
  if (url === undefined || arch === undefined) return [];
  return [
    finding(
      file,
      line,
      severity,
      `a download for ${arch} alone, and ${why}`,
      "put ARG TARGETARCH into the URL, or choose the file by it",
    ),
  ];
}

function finding(file: Dockerfile, line: number, severity: Finding["severity"], message: string, fix: string): Finding {
  return {
    rule: "adopt/one-architecture",
    severity,
    subject: file.file,
    message,
    fix,
    where: { file: file.file, line },
  };
}
