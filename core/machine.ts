/** Machines: the catalogue, a stack's profile, and the defaults that follow from it. */
export * from "./machine/catalogue.ts";
export * from "./machine/defaults.ts";
export * from "./machine/environment.ts";
export * from "./machine/gpus.ts";
export * from "./machine/profile.ts";
export * from "./machine/profile-file.ts";
export * from "./machine/recognise.ts";
