import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { ServiceError, UntypedServiceImplementation } from "@grpc/grpc-js";

/** One call that the double was sent. */
export interface Seen {
  readonly line: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** An answer of the API: its status, and the body as JSON. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An API server that only answers as it is told: for refusals and faults that a real one is hard to bring to. */
export interface Double {
  readonly kubeconfig: string;
  readonly seen: Seen[];
  /** By method and path; later ones go before. */
  answer(line: string, answer: Answer | (() => Answer)): void;
  close(): Promise<void>;
}

/** Calls a method of the plugin as gRPC does. */
export function call<Answer>(
  plugin: { implementation(): UntypedServiceImplementation },
  method: string,
  request: unknown,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const handle = plugin.implementation()[method] as (
      call: { request: unknown },
      done: (error: ServiceError | null, answer: Answer) => void,
    ) => void;
    handle({ request }, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

/** A Status as the API server answers refusals. */
export function refusal(code: number, reason: string, message: string, details: object = {}): Answer {
  return {
    status: code,
    body: { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message, details },
  };
}

export async function startDouble(): Promise<Double> {
  const seen: Seen[] = [];
  const answers = new Map<string, Answer | (() => Answer)>();
  answers.set("GET /version", { status: 200, body: { gitVersion: "v1.34.1" } });
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    const line = `${request.method} ${url.pathname}`;
    seen.push({ line, query: Object.fromEntries(url.searchParams), body: await bodyOf(request) });
    const found = answers.get(line) ?? refusal(404, "NotFound", `${url.pathname} not found`);
    const { status, body, headers } = typeof found === "function" ? found() : found;
    response.writeHead(status, { "content-type": "application/json", ...headers });
    // Less than was promised: the connection breaks.
    if (typeof body === "string" && Number(headers?.["content-length"]) > body.length) {
      response.write(body, () => response.destroy());
      return;
    }
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    kubeconfig: kubeconfigOf(`http://127.0.0.1:${port}`),
    seen,
    answer: (line, answer) => answers.set(line, answer),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A kubeconfig's text with a server and a user's token. */
export function kubeconfigOf(server: string, user: object = { token: "canary-token" }): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "double",
    contexts: [{ name: "double", context: { cluster: "double", user: "tester", namespace: "shop" } }],
    clusters: [{ name: "double", cluster: { server, "insecure-skip-tls-verify": true } }],
    users: [{ name: "tester", user }],
  });
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const piece of request) text += String(piece);
  return text === "" ? undefined : JSON.parse(text);
}
