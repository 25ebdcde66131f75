import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Fleet, FleetRow } from "../core/fleet.ts";
import { planMachine, plannedMachine } from "../core/machine-plan.ts";
import { judgeMachine } from "../gates/machine.ts";
import { FLEET } from "../images/fleet.ts";
import { type Bench, type Figure, seconds } from "./measure.ts";

const ROUNDS = 9;

/** A machine's plan, gates included, for 64, 1,000 and 10,000 services; linear means that time and memory for each stay. */
export const fleetBench: Bench = {
  name: "fleet",
  title: "plan and gates of a machine with 64, 1,000 and 10,000 services",
  async run() {
    const figures: Figure[] = [];
    const [times, memory]: [number[], number[]] = [[], []];
    for (const count of [64, 1000, 10_000]) {
      const fleet: Fleet = { ...FLEET, rows: Array.from({ length: count }, (_, i) => row(i)) };
      const plan = () => {
        const { plan: machine } = planMachine({ stack: "mainpc", machine: { profile: "rtx-4090" }, fleet });
        if (machine === undefined) throw new Error("the bench's machine has no plan");
        judgeMachine(machine);
        return plannedMachine(machine);
      };
      for (let i = 0; i < 5; i++) plan(); // the compiler's warm-up
      const taken: number[] = [];
      for (let i = 0; i < ROUNDS; i++) taken.push(await seconds(plan));
      const time = Math.min(...taken); // the round that least else disturbed
      const bytes = retained(plan);
      times.push(time / count);
      memory.push(bytes / count);
      figures.push({ name: `${count} services`, value: time, unit: "s" });
      figures.push({ name: `held by the plan of ${count}`, value: bytes / 1e6, unit: "MB" });
    }
    const [, timeOf1000 = 1, timeOf10000 = 0] = times;
    const [, memoryOf1000 = 1, memoryOf10000 = 0] = memory;
    return [
      ...figures,
      { name: "time per service, 10,000 against 1,000", value: timeOf10000 / timeOf1000, unit: "x", atMost: 1.5 },
      { name: "memory per service, 10,000 against 1,000", value: memoryOf10000 / memoryOf1000, unit: "x", atMost: 1.5 },
    ];
  },
};

/** Each row of the fleet's own table in turn, under a name and a port of its own, on one machine. */
function row(i: number): FleetRow {
  const model = FLEET.rows[i % FLEET.rows.length] as FleetRow;
  return { ...model, service: `Service${i}`, machines: ["mainpc"], port: 1024 + i };
}

/** Bytes of the heap that a result holds, garbage left out. */
function retained(make: () => unknown): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  const before = process.memoryUsage().heapUsed;
  const held = make();
  collect();
  const after = process.memoryUsage().heapUsed;
  return held === undefined ? 0 : after - before;
}
