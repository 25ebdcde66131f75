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
export function ask(port: number, path: string, pki: Pki): Promise<Answer | undefined> {
  return send("GET", port, path, pki);
}

/** Applies an object (server-side), whether or not it is there. */
export function apply(port: number, path: string, object: object, pki: Pki): Promise<Answer | undefined> {
  return send("PATCH", port, `${path}?fieldManager=keelson-lab&force=true`, pki, JSON.stringify(object));
}

function send(method: string, port: number, path: string, pki: Pki, body?: string): Promise<Answer | undefined> {
  const { pem: cert, key } = pki.leaves.admin;
  const headers = body === undefined ? {} : { "content-type": "application/apply-patch+yaml" };
  const place = { host: "127.0.0.1", port, path, method, headers };
  return new Promise((resolve) => {
    const query = request({ ...place, ca: pki.ca.pem, cert, key, timeout: 2000, agent: false });
    query.once("response", async (response) => {
      const body = await json(response).catch(() => undefined);
      resolve({ status: response.statusCode, body });
    });
    query.once("timeout", () => query.destroy());
    query.once("error", () => resolve(undefined));
    query.end(body);
  });
}
