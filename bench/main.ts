import { cpus } from "node:os";
import { formatTable } from "../core/table.ts";
import { adoptBench } from "./adopt.ts";
import { coldBench } from "./cold.ts";
import { fleetBench } from "./fleet.ts";
import { fleetPreviewBench } from "./fleet-preview.ts";
import { graphBench } from "./graph.ts";
import { hashBench } from "./hash.ts";
import { hostBench } from "./host.ts";
import { idleBench } from "./idle.ts";
import { kubernetesBench } from "./kubernetes.ts";
import { leafBench } from "./leaf.ts";
import type { Bench, Figure } from "./measure.ts";
import { planBench } from "./plan.ts";
import { singleStageBench } from "./single-stage.ts";
import { toolLoaderBench } from "./tool-loader.ts";
import { weftBench } from "./weft.ts";

/** `npm run bench [-- NAME…]`: measures, prints a table per bench, and exits with 1 where a bound is broken. */
const BENCHES: readonly Bench[] = [
  planBench,
  fleetBench,
  fleetPreviewBench,
  hashBench,
  idleBench,
  leafBench,
  graphBench,
  adoptBench,
  toolLoaderBench,
  hostBench,
  weftBench,
  singleStageBench,
  kubernetesBench,
  coldBench,
];

const names = process.argv.slice(2);
const unknown = names.filter((n) => !BENCHES.some((b) => b.name === n));
if (unknown.length > 0) {
  console.error(`no bench named ${unknown.join(", ")}; there are ${BENCHES.map((b) => b.name).join(", ")}`);
  process.exit(1);
}
console.log(`node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? "unknown"}`);
let broken = 0;
for (const bench of BENCHES.filter((b) => names.length === 0 || names.includes(b.name))) {
  console.log(`\n## ${bench.title}`);
  const figures = await bench.run((line) => console.error(`  ${line}`));
  console.log(formatTable(["figure", "value", "at most", ""], figures.map(row)));
  broken += figures.filter(isBroken).length;
}
process.exitCode = broken > 0 ? 1 : 0;

function row(f: Figure): string[] {
  const digits = f.unit === "count" ? 0 : f.unit === "s" && Math.abs(f.value) < 0.1 ? 4 : 2;
  return [
    f.name,
    `${f.value.toFixed(digits)} ${f.unit}`,
    f.atMost === undefined ? "" : `${f.atMost} ${f.unit}`,
    verdict(f),
  ];
}

function verdict(f: Figure): string {
  return f.atMost === undefined ? "" : isBroken(f) ? "BROKEN" : "kept";
}

function isBroken(f: Figure): boolean {
  return f.atMost !== undefined && f.value > f.atMost;
}
