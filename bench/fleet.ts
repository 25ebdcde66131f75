import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Fleet, type FleetRow, fleetWorkloads } from "../core/fleet.ts";
import { hostBundle, planHosts } from "../core/host-plan.ts";
import { planMachine, plannedMachine } from "../core/machine-plan.ts";
import { judgeMachine } from "../gates/machine.ts";
import { FLEET } from "../images/fleet.ts";
import type { Bench, Figure } from "./measure.ts";

const COUNTS = [64, 1000, 10_000] as const;
/** Services that every measurement plans in all, so that each has the same work and the collector the same part in it. */
const WORK = 10_000;
const ROUNDS = 5;

/** A machine's plan and its host's, gates included, for 64, 1,000 and 10,000 services; linear means that time and memory for each stay. */
export const fleetBench: Bench = {
  name: "fleet",
  title: "plan, gates and host of a machine with 64, 1,000 and 10,000 services",
  async run() {
    const plans = COUNTS.map((count) => planOf(Array.from({ length: count }, (_, i) => row(i))));
    const held = COUNTS.map((count, i) => retained(plans[i] ?? (() => undefined), Math.round(WORK / count)) / count);
    const times = COUNTS.map((): number[] => []);
    for (let round = 0; round <= ROUNDS; round++)
      for (const [i, plan] of plans.entries()) {
        const repeat = Math.round(WORK / (COUNTS[i] ?? 1));
        const taken = cpuSeconds(() => {
          for (let n = 0; n < repeat; n++) plan();
        });
        if (round > 0) times[i]?.push(taken / repeat); // the first warms up
      }
    // The rounds that least else disturbed.
    const each = COUNTS.map((count, i) => Math.min(...(times[i] ?? [])) / count);
    const [, time = 1, timeOfMost = 0] = each;
    const [, bytes = 1, bytesOfMost = 0] = held;
    return [
      ...COUNTS.flatMap((count, i): Figure[] => [
        { name: `${count} services, processor time`, value: (each[i] ?? 0) * count, unit: "s" },
        { name: `held by the plan of ${count}`, value: ((held[i] ?? 0) * count) / 1e6, unit: "MB" },
      ]),
      { name: "time per service, 10,000 against 1,000", value: timeOfMost / time, unit: "x", atMost: 1.5 },
      { name: "memory per service, 10,000 against 1,000", value: bytesOfMost / bytes, unit: "x", atMost: 1.5 },
    ];
  },
};

function planOf(rows: readonly FleetRow[]): () => unknown {
  const fleet: Fleet = { ...FLEET, rows };
  return () => {
    const { plan: machine } = planMachine({ stack: "mainpc", machine: { profile: "rtx-4090" }, fleet });
    if (machine === undefined) throw new Error("the bench's machine has no plan");
    judgeMachine(machine);
    const { services, environment } = machine;
    const on = { host: "gpu1", app: "agents", within: () => undefined };
    const { hosts } = planHosts({ gpu1: "lab" }, fleetWorkloads({ services, environment, ...on }), new Map());
    const [host] = hosts;
    if (host === undefined || host.services.length <= rows.length) throw new Error("the bench's host lacks services");
    // What the host is given is text, which nobody keeps.
    hostBundle(host, (image) => `registry/${image}@sha256:${"0".repeat(64)}`);
    return { machine: plannedMachine(machine), hosts };
  };
}

/** What a task takes of the processor, whatever else runs on it. */
function cpuSeconds(task: () => void): number {
  const begin = process.cpuUsage();
  task();
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / 1e6;
}

/** Each row of the fleet's own table in turn, under a name and a port of its own, on one machine. */
function row(i: number): FleetRow {
  const model = FLEET.rows[i % FLEET.rows.length] as FleetRow;
  return { ...model, service: `Service${i}`, machines: ["mainpc"], port: 1024 + i };
}

/** Bytes of the heap that one of so many results holds, garbage left out. */
function retained(make: () => unknown, times: number): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let i = 0; i < 5; i++) make(); // compiled, and what it keeps for itself kept
  collect();
  const before = process.memoryUsage().heapUsed;
  const held = Array.from({ length: times }, make);
  collect();
  const after = process.memoryUsage().heapUsed;
  return (after - before) / held.length;
}
