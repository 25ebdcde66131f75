/**
 * The environment of a buildctl whose exit code counts. At its end it gives its traces 50 ms to get to the builder, and fails where a
 * busy machine takes longer, though all was built (buildkit v0.31.0, cmd/buildctl/common/trace.go): it makes none.
 */
export const UNTRACED = { OTEL_TRACES_SAMPLER: "always_off" } as const;
