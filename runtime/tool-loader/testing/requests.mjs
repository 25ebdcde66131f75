// Asks a gateway over one kept connection, every 10 ms after 100 requests that warm it up, and prints the seconds that each
// of COUNT requests took, as JSON. Plain sockets in a process of its own: what a bench's own garbage collection takes is
// no part of what a gateway's caller feels.
import { once } from "node:events";
import { connect } from "node:net";

const [port, count] = process.argv.slice(2).map(Number);
const REQUEST = Buffer.from(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
/** The gateway's answer is one hash in hexadecimal: one packet. */
const ENDED = /\r\n\r\n[0-9a-f]{64}$/;

const socket = connect(port, "127.0.0.1").setNoDelay();
await once(socket, "connect");
const times = new Float64Array(count);

async function ask() {
  const start = performance.now();
  socket.write(REQUEST);
  const [answer] = await once(socket, "data");
  const took = performance.now() - start;
  if (!ENDED.test(answer.toString("latin1"))) throw new Error(`an answer that was not expected: ${answer}`);
  return took / 1000;
}

for (let i = 0; i < 100; i++) await ask();
for (let i = 0; i < count; i++) {
  times[i] = await ask();
  await new Promise((resolve) => setTimeout(resolve, 10));
}
socket.end();
process.stdout.write(JSON.stringify([...times]));
