import { request } from "node:https";
import { json } from "node:stream/consumers";
import type { Pki } from "./pki.ts";

/** What a program of the cluster answers to its administrator. */
export interface Answer {
  readonly status: number | undefined;
  /** Undefined where it is no JSON. */
  readonly body: unknown;
}

/** A GET on loopback with the administrator's certificate; undefined where nobody of ours answers. */
export function ask(port: number, path: string, { ca, leaves }: Pki): Promise<Answer | undefined> {
  const { pem: cert, key } = leaves.admin;
  return new Promise((resolve) => {
    const query = request({ host: "127.0.0.1", port, path, ca: ca.pem, cert, key, timeout: 2000, agent: false });
    query.once("response", async (response) => {
      const body = await json(response).catch(() => undefined);
      resolve({ status: response.statusCode, body });
    });
    query.once("timeout", () => query.destroy());
    query.once("error", () => resolve(undefined));
    query.end();
  });
}
