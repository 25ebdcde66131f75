import type { Struct } from "./fields.ts";

/** Fields of the official provider's 1.2.1, in the order in which it judges them. */
const string = { kind: "string" } as const;
const bool = { kind: "bool" } as const;
const strings = { kind: "[]string" } as const;
const values = { kind: "map[string]string" } as const;

const lifecycle = { triggers: { kind: "[]interface {}" }, create: string, update: string, delete: string } as const;

const localBase = {
  stdin: string,
  logging: string,
  interpreter: strings,
  dir: string,
  environment: values,
  assetPaths: strings,
  archivePaths: strings,
  addPreviousOutputInEnv: bool,
} as const;

export const LOCAL_COMMAND: Struct = { name: "local.CommandInputs", of: { ...lifecycle, ...localBase } };

export const LOCAL_RUN: Struct = {
  name: "local.RunInputs",
  of: { ...localBase, command: { kind: "string", required: true } },
};

const connectionBase = {
  user: { kind: "string", fallback: "root" },
  password: { kind: "string", secret: true },
  host: { kind: "string", required: true },
  port: { kind: "float64", fallback: 22 },
  privateKey: { kind: "string", secret: true },
  privateKeyPassword: { kind: "string", secret: true },
  agentSocketPath: string,
  dialErrorLimit: { kind: "int", fallback: 10 },
  perDialTimeout: { kind: "int", fallback: 15 },
  hostKey: string,
} as const;

const PROXY: Struct = { name: "remote.ProxyConnection", of: connectionBase };
const CONNECTION: Struct = { name: "remote.Connection", of: { ...connectionBase, proxy: { fields: PROXY } } };
const connection = { fields: CONNECTION, required: true, secret: true } as const;

export const REMOTE_COMMAND: Struct = {
  name: "remote.CommandInputs",
  of: { ...lifecycle, stdin: string, logging: string, connection, environment: values, addPreviousOutputInEnv: bool },
};

export const COPY_TO_REMOTE: Struct = {
  name: "remote.CopyToRemoteInputs",
  of: {
    connection,
    triggers: { kind: "[]interface {}" },
    source: { kind: "asset or archive", required: true },
    remotePath: { kind: "string", required: true },
  },
};
