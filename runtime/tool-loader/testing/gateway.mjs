// A stand-in for a gateway: every path answers 200 from the start, a WebSocket is greeted once it is ready. Its start
// is a wait of READY_AFTER seconds, or WORK_BEFORE seconds of computing.
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";

const { PORT, READY_AFTER = "0", WORK_BEFORE = "0", SIGNALS } = process.env;
const ready = Date.now() + Number(READY_AFTER) * 1000;
// So much work, however long a busy machine takes for it: about a second each on a CPU of 2020.
for (let i = 0; i < Number(WORK_BEFORE) * 1_000_000; i++) createHash("sha1").update("start").digest();

const server = createServer((request, response) => {
  if (request.url === "/exit") process.exit(7);
  // Some work, as a request to a gateway is.
  let hash = Buffer.from("request");
  for (let i = 0; i < 300; i++) hash = createHash("sha256").update(hash).digest();
  response.end(hash.toString("hex"));
});
server.on("upgrade", (request, socket) => {
  socket.on("error", () => {});
  const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash("sha1").update(key).digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  if (Date.now() < ready) return;
  const text = JSON.stringify({ type: "event", event: "connect.challenge" });
  socket.write(Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text)]));
});
server.listen(Number(PORT), "127.0.0.1");

process.on("SIGTERM", () => {
  if (SIGNALS) writeFileSync(SIGNALS, "SIGTERM");
  process.exit(0);
});
process.on("SIGHUP", () => SIGNALS && writeFileSync(SIGNALS, "SIGHUP"));
