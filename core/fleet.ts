/** A fleet: services on machines, from a table and its rules. */
export * from "./fleet/earlier.ts";
export * from "./fleet/findings.ts";
export * from "./fleet/host-services.ts";
export * from "./fleet/memory.ts";
export * from "./fleet/placement.ts";
export * from "./fleet/row.ts";
export * from "./fleet/selection.ts";
export * from "./fleet/service.ts";
export * from "./fleet/waves.ts";
