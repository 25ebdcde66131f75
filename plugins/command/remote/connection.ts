import { z } from "zod";

const base = {
  host: z.string(),
  user: z.string().default("root"),
  port: z.number().default(22),
  password: z.string().optional(),
  privateKey: z.string().optional(),
  privateKeyPassword: z.string().optional(),
  agentSocketPath: z.string().optional(),
  /** -1: no limit. */
  dialErrorLimit: z.number().default(10),
  /** Seconds; 0: no limit. */
  perDialTimeout: z.number().default(15),
  hostKey: z.string().optional(),
};

const endpoint = z.object(base);
export const connection = z.object({ ...base, proxy: endpoint.optional() });

/** A server and how to get in. */
export type Endpoint = z.infer<typeof endpoint>;
/** A server, and the one to go through where it isn't reached straight. */
export type Connection = z.infer<typeof connection>;
