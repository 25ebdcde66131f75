import type { Value } from "./wire.ts";

/** Properties without their marks. */
export type Values = Readonly<Record<string, Value>>;
