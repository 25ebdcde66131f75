import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { AwsClient } from "aws4fetch";
import type { Endpoint } from "./world.ts";

/** What a signature must not hang on: hop by hop, and what miniflare changes before it checks. */
const DROPPED = new Set(["authorization", "accept-encoding", "connection", "host", "x-amz-date"]);

/**
 * An S3 endpoint before another one that signs every request anew, whatever the client made of it: rclone before 1.63, which
 * Debian 12 has, signs `Accept-Encoding`, and miniflare's R2 changes that before it checks. For tests alone: it checks nobody.
 * @param host where it listens. Default: loopback.
 */
export async function startResigning(
  at: Endpoint,
  host = "127.0.0.1",
): Promise<Endpoint & { readonly port: number; close(): void }> {
  const { accessKeyId, secretAccessKey } = at;
  const aws = new AwsClient({ accessKeyId, secretAccessKey, service: "s3", region: "auto" });
  const origin = new URL(at.endpoint);
  const pass = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const url = new URL(`${origin.pathname.replace(/\/$/, "")}${incoming.url}`, origin);
    const headers = Object.entries(incoming.headers).flatMap(([name, value]): [string, string][] =>
      DROPPED.has(name) || value === undefined ? [] : [[name, String(value)]],
    );
    const signed = await aws.sign(url.href, { method: incoming.method ?? "GET", headers });
    const passed = request(
      url,
      { method: incoming.method, headers: Object.fromEntries(signed.headers.entries()) },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outgoing);
      },
    );
    passed.on("error", () => outgoing.destroy());
    incoming.on("error", () => passed.destroy());
    incoming.pipe(passed);
  };
  const server = createServer((incoming, outgoing) => void pass(incoming, outgoing).catch(() => outgoing.destroy()));
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { endpoint: `http://${host}:${port}`, accessKeyId, secretAccessKey, port, close };
}
