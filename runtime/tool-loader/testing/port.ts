import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/**
 * A port that nobody listens on. It lies below those that Linux gives to whoever asks for port 0
 * (net.ipv4.ip_local_port_range: from 32768) and Kubernetes to NodePorts (from 30000), so that no other server
 * gets it before the one it is for.
 * @example const port = await freePort() // 24711
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 30_000);
    const server = createServer().listen(port, "127.0.0.1");
    const free = await once(server, "listening").then(
      () => true,
      () => false,
    );
    if (!free) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}
