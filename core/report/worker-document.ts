import type { PackageSize } from "../packages.ts";
import { type Block, list, table, text, title } from "./document.ts";
import { change, megabytes, percent, shortDigest, shortStep } from "./units.ts";
import type { WorkerImage, WorkerReport } from "./worker.ts";
import { SPIKE, TARGETS } from "./worker-baseline.ts";
import type { WorkerFacts } from "./worker-facts.ts";

/** Packages of today that are listed beside those that the spike lists. */
const LARGEST = 12;

/** The worker report as people read it: the spike's tables with today's numbers beside its own. */
export function workerDocument(report: WorkerReport): Block[] {
  return [
    title("Worker image sizes", 1),
    text(
      `Measured from the registry, held against the size spike of ${SPIKE.date}. Unpacked: the layers' archives. MB are 10^6 bytes.`,
    ),
    title("Verdict"),
    text(report.verdict.decision),
    ...(report.verdict.conditions.length > 0 ? [list(report.verdict.conditions)] : []),
    text("Because:"),
    list(report.verdict.reasons),
    title("Size comparison"),
    comparison(report),
    title("Against targets"),
    targets(report),
    title("Options"),
    text(`Judged on ${report.verdict.platform}, where the images are largest.`),
    options(report),
    ...imageSections(report.noGit, "noGit"),
    ...imageSections(report.git, "git"),
  ];
}

function comparison({ noGit, git }: WorkerReport): Block {
  const row = (image: WorkerImage, spike: number) =>
    image.platforms.map(({ analysis }) => [
      image.name,
      analysis.platform,
      megabytes(analysis.compressed),
      megabytes(analysis.unpacked),
      megabytes(spike),
      change(analysis.unpacked, spike),
      status(analysis.unpacked),
    ]);
  const base = noGit.platforms.map(({ analysis }) => {
    const { compressed = 0, unpacked = 0 } = analysis.layers[0] ?? {};
    return [
      "base (first layer)",
      analysis.platform,
      megabytes(compressed),
      megabytes(unpacked),
      megabytes(SPIKE.images.base),
      change(unpacked, SPIKE.images.base),
      "foundation",
    ];
  });
  return table(
    ["image", "platform", "compressed", "unpacked", "spike", "change", "status"],
    [
      ...row(noGit, SPIKE.images.noGit),
      ...row(git, SPIKE.images.git),
      ...base,
      ["hal9000-full-test", "-", "-", "-", megabytes(SPIKE.images.full), "-", "baseline of the spike"],
    ],
  );
}

function status(bytes: number): string {
  const room = TARGETS.revised - bytes;
  return room >= 0 ? `under ${megabytes(TARGETS.revised)}` : `${megabytes(-room)} over ${megabytes(TARGETS.revised)}`;
}

function targets({ noGit, git }: WorkerReport): Block {
  const goals: [string, number][] = [
    ["first plan", TARGETS.plan],
    ["revised", TARGETS.revised],
    ["with git", TARGETS.git],
  ];
  const spikeRow = (name: string, bytes: number) => [
    name,
    SPIKE.date,
    megabytes(bytes),
    ...goals.map(([, goal]) => against(bytes, goal)),
  ];
  const rows = [noGit, git].flatMap((image) =>
    image.platforms.map(({ analysis }) => [
      image.name,
      analysis.platform,
      megabytes(analysis.unpacked),
      ...goals.map(([, goal]) => against(analysis.unpacked, goal)),
    ]),
  );
  return table(
    ["image", "platform", "unpacked", ...goals.map(([name, goal]) => `${name} <${(goal / 1e6).toFixed(0)} MB`)],
    [
      ...rows,
      spikeRow("spike, no git", SPIKE.images.noGit),
      spikeRow("spike, with git", SPIKE.images.git),
      spikeRow("spike, baseline", SPIKE.images.full),
    ],
  );
}

/** @example against(588e6, 500e6) // "17.6 % over" */
function against(bytes: number, goal: number): string {
  const part = `${(Math.abs(bytes / goal - 1) * 100).toFixed(1)} %`;
  return bytes > goal ? `${part} over` : `${part} under`;
}

function options({ options: all }: WorkerReport): Block {
  return table(
    ["option", "the spike", "saves today, at most", "judgement", "why"],
    all.map((o) => [o.name, o.spike, megabytes(o.saves), o.judgement, o.why]),
  );
}

function imageSections(image: WorkerImage, kind: "noGit" | "git"): Block[] {
  return image.platforms.flatMap((facts) => [
    title(`${image.name}, ${facts.analysis.platform}`),
    text(`${facts.analysis.reference}, ${facts.analysis.digest}`),
    title("By layer", 3),
    byLayer(facts),
    title("By directory", 3),
    byDirectory(facts, kind),
    title("By package", 3),
    byPackage(facts, kind),
    ...unexplained(facts),
  ]);
}

function byLayer({ analysis }: WorkerFacts): Block {
  const rows = analysis.layers.map((layer, index) => [
    String(index + 1),
    shortDigest(layer.digest),
    megabytes(layer.compressed),
    megabytes(layer.unpacked),
    megabytes(layer.wasted),
    shortStep(layer.createdBy),
  ]);
  const wasted = megabytes(analysis.waste.bytes);
  return table(
    ["layer", "digest", "compressed", "unpacked", "wasted", "made by"],
    [...rows, ["all", "", megabytes(analysis.compressed), megabytes(analysis.unpacked), wasted, ""]],
  );
}

/** The spike's "Layer Breakdown": its rows add up to less than its image; today's add up, and the last row shows it. */
function byDirectory({ analysis, cli, directories }: WorkerFacts, kind: "noGit" | "git"): Block {
  const spike = SPIKE.breakdown[kind];
  const known: Readonly<Record<string, number>> = { "/usr": spike.usr, "/var": spike.var, "/etc": spike.etc };
  const rows: [string, number, number | undefined][] = [
    ["Claude CLI", cli, spike.cli],
    ...Object.entries(directories)
      .filter(([name, bytes]) => bytes >= 50_000 || name in known)
      .map(([name, bytes]): [string, number, number | undefined] => [name, bytes, known[name]]),
    ["deleted or overwritten", analysis.waste.bytes, undefined],
    ["names, modes, padding of the archives", analysis.unpacked - analysis.content, undefined],
  ];
  const sum = rows.reduce((total, [, bytes]) => total + bytes, 0);
  const spikeSum = rows.reduce((total, [, , bytes]) => total + (bytes ?? 0), 0);
  const total = SPIKE.images[kind];
  return table(
    ["component", "today", "of image", "spike", "change"],
    [
      ...rows.map(([name, bytes, before]) => [
        name,
        megabytes(bytes),
        percent(bytes, analysis.unpacked),
        before === undefined ? "-" : megabytes(before),
        before === undefined ? "-" : change(bytes, before),
      ]),
      [
        "the part that no table explains",
        megabytes(analysis.unpacked - sum),
        percent(analysis.unpacked - sum, analysis.unpacked),
        megabytes(total - spikeSum),
        "-",
      ],
      ["all", megabytes(analysis.unpacked), "100.0 %", megabytes(total), change(analysis.unpacked, total)],
    ],
  );
}

/** The spike's "Key Package Sizes": what it lists, then today's largest. */
function byPackage({ analysis, cli }: WorkerFacts, kind: "noGit" | "git"): Block {
  const spike: Readonly<Record<string, number>> = SPIKE.packages[kind];
  const own = analysis.packages.filter((p) => p.manager !== "path");
  const rows = Object.entries(spike).map(([name, before]) => {
    const found = own.find((p) => matches(p, name));
    return [
      name,
      found?.version ?? "absent",
      megabytes(found?.bytes ?? 0),
      megabytes(before),
      change(found?.bytes ?? 0, before),
    ];
  });
  const others = own.filter((p) => !Object.keys(spike).some((name) => matches(p, name))).slice(0, LARGEST);
  const shown = others.map((p) => [p.name, p.version, megabytes(p.bytes), "-", "-"]);
  const rest = own.filter((p) => !others.includes(p) && !Object.keys(spike).some((name) => matches(p, name)));
  const sum = (packages: readonly PackageSize[]) => packages.reduce((total, p) => total + p.bytes, 0);
  const overhead = analysis.unpacked - analysis.content;
  const explained = sum(own) + cli + analysis.unexplained.bytes + analysis.waste.bytes + overhead;
  return table(
    ["package", "version", "today", "spike", "change"],
    [
      ...rows,
      ...shown,
      [`${rest.length} smaller packages`, "", megabytes(sum(rest)), "-", "-"],
      ["all packages", "", megabytes(sum(own)), "-", "-"],
      ["Claude CLI", "", megabytes(cli), "-", "-"],
      ["made while building", "", megabytes(analysis.unexplained.bytes), "-", "-"],
      ["deleted or overwritten", "", megabytes(analysis.waste.bytes), "-", "-"],
      ["names, modes, padding of the archives", "", megabytes(overhead), "-", "-"],
      ["the part that no table explains", "", megabytes(analysis.unpacked - explained), "-", "-"],
      ["all", "", megabytes(analysis.unpacked), "-", "-"],
    ],
  );
}

/** The spike leaves versions out of some names: its perl-modules is Debian's perl-modules-5.36. */
const matches = ({ name }: PackageSize, listed: string): boolean =>
  name === listed || (listed === "perl-modules" && /^perl-modules-[\d.]+$/.test(name));

function unexplained({ analysis }: WorkerFacts): Block[] {
  const { bytes, files, largest } = analysis.unexplained;
  return [
    text(`No package claims ${megabytes(bytes)} in ${files} files, made while the image was built:`),
    list(largest.slice(0, 8).map((f) => `/${f.path}: ${megabytes(f.bytes)}`)),
  ];
}
