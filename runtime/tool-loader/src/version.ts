import manifest from "../package.json" with { type: "json" };

/** The loader's version. */
export const VERSION: string = manifest.version;
