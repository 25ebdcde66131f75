import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

/** What a client of the API server's remote commands sent. */
export interface Received {
  readonly path: string;
  readonly stdin: string;
  /** Whether it said that there is no more. */
  readonly ended: boolean;
  readonly sizes: readonly string[];
}

/**
 * The API server's end of a remote command over a web socket (RFC 6455): reads until the input has ended, or at once
 * where the client announced none, and answers with output and a status.
 * @param protocol that is spoken. @example "v5.channel.k8s.io"
 */
export function answerCommand(
  request: IncomingMessage,
  socket: Duplex,
  { protocol, status, enough }: { protocol: string; status: object; enough: (received: Received) => boolean },
): Promise<Received> {
  const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  socket.write(
    [
      "HTTP/1.1 101 Switching Protocols",
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Accept: ${createHash("sha1").update(key).digest("base64")}`,
      `Sec-WebSocket-Protocol: ${protocol}`,
      "\r\n",
    ].join("\r\n"),
  );
  const stdin: Buffer[] = [];
  const sizes: string[] = [];
  let ended = false;
  const received = (): Received => ({
    path: request.url ?? "",
    stdin: Buffer.concat(stdin).toString(),
    ended,
    sizes,
  });
  return new Promise((resolve) => {
    let rest: Buffer = Buffer.alloc(0);
    const look = () => {
      if (!enough(received())) return;
      socket.write(frame(1, Buffer.from(`read ${received().stdin.length}`)));
      socket.write(frame(3, Buffer.from(JSON.stringify(status))));
      resolve(received());
    };
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (let next = take(rest); next !== undefined; next = take(rest)) {
        rest = next.rest;
        const [channel, data] = [next.payload[0], next.payload.subarray(1)];
        if (next.opcode === 8) return socket.end();
        if (channel === 0) stdin.push(data);
        if (channel === 4) sizes.push(data.toString());
        if (channel === 255 && data[0] === 0) ended = true;
      }
      look();
    });
    look();
  });
}

function frame(channel: number, data: Buffer): Buffer {
  const payload = Buffer.concat([Buffer.of(channel), data]);
  const head = Buffer.of(0x82, 126, payload.length >> 8, payload.length & 255);
  return Buffer.concat([head, payload]);
}

/** The first whole message of a client, unmasked. */
function take(bytes: Buffer): { opcode: number; payload: Buffer; rest: Buffer } | undefined {
  if (bytes.length < 2) return undefined;
  const short = (bytes[1] ?? 0) & 127;
  const at = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < at + 4) return undefined;
  const length = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  const end = at + 4 + length;
  if (bytes.length < end) return undefined;
  const mask = bytes.subarray(at, at + 4);
  const payload = Buffer.from(bytes.subarray(at + 4, end));
  for (let i = 0; i < payload.length; i++) payload[i] = (payload[i] ?? 0) ^ (mask[i % 4] ?? 0);
  return { opcode: (bytes[0] ?? 0) & 15, payload, rest: bytes.subarray(end) };
}
