import { connect, createServer } from "node:net";
import type { Clock } from "../clock.ts";

export interface Lock {
  release(): Promise<void>;
}

/**
 * Takes a lock among the processes of this container. It is an abstract unix socket: the kernel frees it when its holder
 * dies, however it dies, and whoever waits is woken by the connection's end.
 * @param name at most 100 bytes; holds what makes it unique, such as the root's device and inode
 * @param onWait called once when someone else holds it
 */
export async function takeLock(
  name: string,
  clock: Clock,
  onWait: () => void = () => {},
  signal?: AbortSignal,
): Promise<Lock> {
  for (let waited = false; ; ) {
    signal?.throwIfAborted();
    const lock = await tryLock(name);
    if (lock !== undefined) return lock;
    if (!waited) onWait();
    waited = true;
    await untilFree(name, signal);
    // The socket's backlog may close before its name is free again.
    await clock.sleep(0.02, signal);
  }
}

/** @returns undefined when it is held. */
export function tryLock(name: string): Promise<Lock | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? resolve(undefined) : reject(error),
    );
    server.listen(`\0${name}`, () => {
      const waiting = new Set<import("node:net").Socket>();
      server.on("connection", (socket) => {
        waiting.add(socket);
        socket.unref();
        socket.on("error", () => {});
        socket.on("close", () => waiting.delete(socket));
      });
      server.unref();
      resolve({
        release: () =>
          new Promise((done) => {
            server.close(() => done());
            for (const socket of waiting) socket.destroy();
          }),
      });
    });
  });
}

function untilFree(name: string, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(`\0${name}`);
    const done = () => {
      signal?.removeEventListener("abort", done);
      socket.destroy();
      resolve();
    };
    socket.on("error", done);
    socket.on("close", done);
    signal?.addEventListener("abort", done, { once: true });
  });
}
