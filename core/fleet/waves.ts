import type { Placement } from "./placement.ts";
import type { FleetWave } from "./row.ts";

/** A step of the migration with what it places. */
export interface PlacedWave {
  readonly name: string;
  readonly placements: readonly Placement[];
}

/**
 * The placements in waves, each to start when every service of the one before is healthy: a placement belongs to the first wave
 * that takes it; what none takes comes last, as `rest`. Redis comes with the first wave. Empty waves are left out.
 * @example planWaves(placements, FLEET.waves).map((w) => w.name) // ["core", "gpu", "cpu", "rest"]
 */
export function planWaves(placements: readonly Placement[], waves: readonly FleetWave[]): PlacedWave[] {
  const all: readonly FleetWave[] = [...waves, { name: "rest" }];
  const waveOf = (p: Placement) => (p.family === "redis" ? all[0] : all.find((wave) => takes(wave, p)));
  return all
    .map((wave) => ({ name: wave.name, placements: placements.filter((p) => waveOf(p) === wave) }))
    .filter((wave) => wave.placements.length > 0);
}

/**
 * The waves that stand before a machine's own first one, on whichever machine.
 * @example wavesBefore(["cpu-pc2", "rest"], FLEET.waves) // ["core", "gpu-mainpc"]
 */
export function wavesBefore(own: readonly string[], waves: readonly FleetWave[]): string[] {
  const order = [...waves.map(({ name }) => name), "rest"];
  const first = order.findIndex((name) => own.includes(name));
  return order.slice(0, Math.max(first, 0));
}

function takes(wave: FleetWave, placement: Placement): boolean {
  return (
    (wave.services === undefined || wave.services.includes(placement.service)) &&
    (wave.machine === undefined || wave.machine === placement.machine) &&
    (wave.gpu === undefined || wave.gpu === placement.needs.includes("gpu"))
  );
}
