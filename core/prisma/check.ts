import semver from "semver";
import type { Finding } from "../finding.ts";
import { hint } from "../lineage.ts";
import type { Platform } from "../platform.ts";
import { engineOf, makesClient } from "./client.ts";
import type { PrismaProject } from "./project.ts";
import { entryOf, type PrismaBlock, type PrismaEntry, type PrismaFile, textOf, textsOf } from "./schema.ts";
import { comesWith, type PrismaSystem, TARGETS, targetOf } from "./target.ts";

/** What a project's clients have to run on. */
export interface PrismaWish {
  /** What findings are about. @example "todo-frontend" */
  readonly subject: string;
  /** One for each platform of the image; empty where its base is unknown. */
  readonly systems: readonly PrismaSystem[];
  /** Name of the base, for messages. */
  readonly base: string;
  /**
   * Where `prisma generate` runs, which decides what `native` is: on each of the image's own platforms (`image`), on the
   * one that builds (`build`), or nobody can say.
   */
  readonly generates: "image" | "build" | "unknown";
  /** The platform that builds. */
  readonly host: Platform;
  /** Folder of the tree, for findings. @example "images/todo-frontend" */
  readonly folder: string;
  /** `prisma generate --no-engine` in its Dockerfile. */
  readonly withoutEngine?: boolean;
  /** The image is put together from nothing, and no OpenSSL is put into it. */
  readonly withoutOpenssl?: boolean;
}

/** All that keeps a project's client from running in an image, and what it would carry for nothing. */
export function checkPrisma(project: PrismaProject, wish: PrismaWish): Finding[] {
  const finding = maker(wish);
  const unread = project.schema.filter((file) => file.problem !== undefined);
  if (unread.length > 0) return unread.map((file) => unreadable(file, finding));
  if (project.schema.length === 0) return [missing(project, finding)];
  const clients = project.schema.flatMap((file) =>
    file.blocks.filter((b) => b.kind === "generator" && makesClient(b)).map((generator) => ({ file, generator })),
  );
  const version = project.version;
  const unknown = clients.length > 0 && version === undefined ? [unknownVersion(project, finding)] : [];
  const findings = clients.flatMap(({ file, generator }) => {
    // Of what no file says, the newest release before engines went: it wants most.
    const release = version ?? "6.19.0";
    const engine = project.withoutEngine || wish.withoutEngine ? "none" : engineOf(generator, release);
    return [
      ...outputFindings(file, generator, release, finding),
      ...(engine === "none"
        ? enginelessFindings(project, { file, generator }, release, finding)
        : wish.withoutOpenssl
          ? [noOpenssl({ file, generator }, release, wish, finding)]
          : targetFindings({ file, generator }, { release, isExact: project.isExact }, wish, finding)),
    ];
  });
  return [...unknown, ...findings, ...(version === undefined ? [] : datasourceFindings(project, version, finding))];
}

/** The targets that a generator lacks for the systems, sorted; `native` counts where it is what the system needs. */
export function missingTargets(
  generator: PrismaBlock,
  { systems, generates, host }: Pick<PrismaWish, "systems" | "generates" | "host">,
): string[] {
  const wanted = binaryTargets(generator);
  const native = wanted.length === 0 || wanted.includes("native");
  const missing = systems.filter(({ platform, ...rest }) => {
    const covered = native && (generates === "image" || (generates === "build" && platform === host));
    return !covered && !wanted.includes(targetOf({ platform, ...rest }));
  });
  return [...new Set(missing.map(targetOf))].toSorted();
}

/** What a generator names; nothing stands for `native`. */
export function binaryTargets(generator: PrismaBlock): string[] {
  return textsOf(entryOf(generator, "binaryTargets")?.value);
}

type Make = (
  rule: string,
  severity: Finding["severity"],
  at: { readonly file: string; readonly line?: number } | undefined,
  message: string,
  fix: string,
) => Finding;

function maker({ subject, folder }: PrismaWish): Make {
  return (rule, severity, at, message, fix) => ({
    rule: `prisma/${rule}`,
    severity,
    subject,
    message,
    fix,
    ...(at === undefined ? {} : { where: { ...at, file: folder === "" ? at.file : `${folder}/${at.file}` } }),
  });
}

interface Client {
  readonly file: PrismaFile;
  readonly generator: PrismaBlock;
}

const at = (file: PrismaFile, { line }: PrismaBlock | PrismaEntry) => ({ file: file.file, line });

function unreadable({ file, problem }: PrismaFile, finding: Make): Finding {
  const { line = 1, message = "" } = problem ?? {};
  return finding("unreadable", "error", { file, line }, `the schema can't be read: ${message}`, "correct that line");
}

function missing({ named, folder }: PrismaProject, finding: Make): Finding {
  return finding(
    "no-schema",
    "error",
    { file: named?.by ?? `${folder === "" ? "" : `${folder}/`}package.json` },
    `names the schema ${named?.path ?? "prisma/schema.prisma"}, and no .prisma file is there`,
    "correct the path, or see that .dockerignore leaves the schema",
  );
}

function unknownVersion({ folder, schema }: PrismaProject, finding: Make): Finding {
  return finding(
    "version",
    "warning",
    { file: schema[0]?.file ?? folder },
    "no package.json says which Prisma makes the client: it is judged as 6.19",
    "add @prisma/client and prisma with exact versions to package.json, and package-lock.json beside it",
  );
}

/** `prisma-client` writes only where it is told to; @prisma/client 7 no longer looks into node_modules/.prisma. */
function outputFindings(file: PrismaFile, generator: PrismaBlock, version: string, finding: Make): Finding[] {
  const provider = textOf(generator, "provider");
  if (provider !== "prisma-client" || entryOf(generator, "output") !== undefined) return [];
  return [
    finding(
      "output",
      "error",
      at(file, generator),
      `generator ${generator.name} (${provider}, Prisma ${version}) says no output: prisma generate refuses`,
      'add output = "../generated/prisma"',
    ),
  ];
}

/** A client without an engine reaches its database through a driver adapter, or through Prisma's proxy. */
function enginelessFindings(
  { packages, withoutEngine, folder }: PrismaProject,
  { file, generator }: Client,
  version: string,
  finding: Make,
): Finding[] {
  const findings: Finding[] = [];
  const targets = entryOf(generator, "binaryTargets");
  if (targets !== undefined)
    findings.push(
      finding(
        "needless-targets",
        "info",
        at(file, targets),
        `binaryTargets of generator ${generator.name} mean nothing: its client (Prisma ${version}) has no engine`,
        "take the line out",
      ),
    );
  const reaches = packages.some((name) => /^@prisma\/(?:adapter-|extension-accelerate$)|^prisma-adapter-/.test(name));
  if (packages.length > 0 && !reaches && !withoutEngine)
    findings.push(
      finding(
        "no-adapter",
        "error",
        { file: folder === "" ? "package.json" : `${folder}/package.json` },
        `the client of generator ${generator.name} (Prisma ${version}) has no engine, and package.json has no driver adapter: every query would fail`,
        "add one, such as @prisma/adapter-pg for PostgreSQL, and pass it to new PrismaClient({ adapter })",
      ),
    );
  return findings;
}

/** No target mends it: every engine is linked against libssl. */
function noOpenssl({ file, generator }: Client, version: string, { subject }: PrismaWish, finding: Make): Finding {
  const entry = entryOf(generator, "engineType");
  const since = semver.lt(version, CLIENT_ENGINE) ? ` (Prisma ${CLIENT_ENGINE} and newer)` : "";
  return finding(
    "no-openssl",
    "error",
    at(file, entry ?? generator),
    `the client of generator ${generator.name} (Prisma ${version}) has an engine, which loads OpenSSL, and the image of ${subject} has none: every query would fail`,
    `write engineType = "client" into that generator${since} or take Prisma 7, each with a driver adapter such as @prisma/adapter-pg; or give the application an image definition of its own, whose last stage has OpenSSL`,
  );
}

/** `engineType = "client"` is no preview any more since then (Prisma's release notes). */
const CLIENT_ENGINE = "6.16.0";

function targetFindings(
  { file, generator }: Client,
  { release, isExact }: { readonly release: string; readonly isExact: boolean },
  wish: PrismaWish,
  finding: Make,
): Finding[] {
  const entry = entryOf(generator, "binaryTargets");
  const place = at(file, entry ?? generator);
  if (entry?.value.kind === "env")
    return [
      finding(
        "env-targets",
        "warning",
        place,
        `binaryTargets come from the variable ${entry.value.variable} of whoever generates: what the image gets is not known before it is built`,
        'write them out, as in binaryTargets = ["native", "linux-musl-openssl-3.0.x"]',
      ),
    ];
  const wanted = binaryTargets(generator);
  const unknown = wanted
    .filter((target) => !TARGETS.includes(target))
    .map((target) =>
      finding(
        "unknown-target",
        "error",
        place,
        `"${target}" is no target that Prisma has: prisma generate refuses`,
        `take it out${hint(target, TARGETS)}`,
      ),
    );
  if (wish.systems.length === 0)
    return [
      ...unknown,
      finding(
        "unknown-base",
        "warning",
        place,
        `what engine ${wish.base} needs is not known`,
        "see in the built image: the gate prisma looks at its files",
      ),
    ];
  const missing = missingTargets(generator, wish);
  const old = [...new Set([...missing, ...wanted])].flatMap((target) => {
    const since = comesWith(target, release);
    return since === undefined
      ? []
      : [
          finding(
            "old-release",
            // Of a range, a newer release than its least may be installed.
            isExact ? "error" : "warning",
            place,
            `Prisma ${release} has no engine ${target}: the first release with one is ${since}`,
            `take prisma and @prisma/client ${semver.major(since)}.x, ${since} or newer`,
          ),
        ];
  });
  if (missing.length === 0) return [...unknown, ...old];
  const list = wanted.length === 0 ? '"native" (none are written)' : wanted.map((t) => `"${t}"`).join(", ");
  const text = `the client of generator ${generator.name} lacks ${missing.join(", ")}, which ${wish.base} on ${wish.systems.map((s) => s.platform).join(", ")} needs: it has ${list}${nativeNote(wish, wanted)}`;
  return [
    ...unknown,
    ...old,
    finding(
      "target",
      // Where nobody can say what `native` will be, the built image tells.
      wish.generates === "unknown" && (wanted.length === 0 || wanted.includes("native")) ? "warning" : "error",
      place,
      `${text}; every query would fail with PrismaClientInitializationError`,
      "run `keelson fix prisma` in the project, or add them to binaryTargets",
    ),
  ];
}

function nativeNote({ generates, host }: PrismaWish, wanted: readonly string[]): string {
  if (wanted.length > 0 && !wanted.includes("native")) return "";
  if (generates === "build") return `; native is that of the platform that builds, ${host}`;
  return generates === "unknown" ? "; no RUN of the Dockerfile says where native is decided" : "";
}

/** Prisma 7 takes connections from prisma.config.ts and from the adapter. */
function datasourceFindings({ schema }: PrismaProject, version: string, finding: Make): Finding[] {
  if (semver.lt(version, "7.0.0")) return [];
  return schema.flatMap((file) =>
    file.blocks
      .filter((block) => block.kind === "datasource")
      .flatMap((block) => block.entries.filter(({ key }) => ["url", "directUrl", "shadowDatabaseUrl"].includes(key)))
      .map((entry) =>
        finding(
          "datasource-url",
          "error",
          at(file, entry),
          `Prisma ${version} refuses ${entry.key} in a datasource`,
          "move it to datasource.url of prisma.config.ts, and give the client its connection by the adapter",
        ),
      ),
  );
}
