/** Of the settings that `serve` needs before it has read the others (config.ts). */
export const PORT = 8080;
export const HOST = "0.0.0.0";
/** clawdbot's own port. */
export const GATEWAY_READY = "ws://127.0.0.1:18789/";
/** Seconds that the gateway and the jobs have to end after a TERM. */
export const GRACE = 20;
