// @ts-check
// Plain JavaScript: the bootstrap needs it before there is a node that runs TypeScript.

/**
 * Bytes of disk that an `up` from nothing takes in keelson's home: tools 0.7 GB, store 0.7 GB, builder 5 GB, registry
 * 0.8 GB, the gateway with its tools 2.5 GB; measured but for the
 * gateway's share of builder and tools, which is reckoned, and rounded up. What the tools' builds take on their way is gone before the builder starts.
 */
export const HOME_BYTES = 10e9;

/** {@link HOME_BYTES} for people. */
export const HOME_ROOM = `${HOME_BYTES / 1e9} GB`;

/** Bytes that node's package takes while npm unpacks it: the archive in npm's cache, the program and its headers. */
export const NODE_BYTES = 300e6;

/** Of these, what the first builds take where the tools are there: store, builder and registry. */
export const BUILD_BYTES = 4e9;
