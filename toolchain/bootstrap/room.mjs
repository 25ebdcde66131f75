// @ts-check
// Plain JavaScript: the bootstrap needs it before there is a node that runs TypeScript.

/**
 * Bytes of disk that an `up` from nothing takes in keelson's home: tools 0.7 GB, store 0.5 GB, builder 3 GB, registry
 * 0.5 GB; measured, rounded up. What the tools' builds take on their way is gone before the builder starts.
 */
export const HOME_BYTES = 6e9;

/** {@link HOME_BYTES} for people. */
export const HOME_ROOM = `${HOME_BYTES / 1e9} GB`;

/** Bytes that node's package takes while npm unpacks it: the archive in npm's cache, the program and its headers. */
export const NODE_BYTES = 300e6;
