import { createHash } from "node:crypto";
import { lstat, mkdir } from "node:fs/promises";
import { connect } from "node:http2";
import { connect as connectSocket } from "node:net";
import { join } from "node:path";
import { UserError } from "../../core/error.ts";

/** `sun_path` of a unix socket's address holds 108 bytes with its closing zero (unix(7)). */
const LONGEST_PATH = 107;

/**
 * A folder for a service's sockets whose paths every client takes: the service's own where they stay short enough and
 * hold no character that a URL would escape, else one below /run (root) or /tmp, named by hash. It follows from the
 * folder and the user alone: whoever asks, in whatever environment, finds the same socket.
 * @param longest the longest name of a socket that it will hold.
 * @example socketDirectory("/home/me/.cache/keelson/services/buildkit/default", "buildkitd.sock") // the same
 */
export function socketDirectory(directory: string, longest: string): string {
  const plain = /^[\x21-\x7e]+$/.test(directory) && !/[%?#]/.test(directory);
  if (plain && Buffer.byteLength(join(directory, longest)) <= LONGEST_PATH) return directory;
  const uid = process.getuid?.() ?? 0;
  const hash = createHash("sha256").update(directory).digest("hex").slice(0, 12);
  return join(uid === 0 ? "/run" : "/tmp", `keelson-${uid}-${hash}`);
}

/** Makes the folder, for its owner alone. @throws UserError when another user's stands in its place. */
export async function makeSocketDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const stat = await lstat(directory);
  if (!stat.isDirectory() || stat.uid !== process.getuid?.() || (stat.mode & 0o022) !== 0)
    throw new UserError(
      `expected ${directory} to be a folder of yours that nobody else writes, found another`,
      "remove it, or set KEELSON_HOME to a shorter path without spaces",
    );
}

/**
 * Whether a gRPC server answers: it must greet us in HTTP/2, for a hung process still accepts connections.
 * @example await grpcAnswers({ path: "/run/keelson-0-1f2e3d4c5b6a/buildkitd.sock" })
 */
export async function grpcAnswers(
  target: { readonly path: string } | { readonly host: string; readonly port: number },
): Promise<boolean> {
  return new Promise((resolve) => {
    const session = connect("http://localhost", { createConnection: () => connectSocket(target) });
    const finish = (answer: boolean) => {
      clearTimeout(patience);
      session.destroy();
      resolve(answer);
    };
    const patience = setTimeout(() => finish(false), 2000);
    session.once("remoteSettings", () => finish(true));
    session.once("error", () => finish(false));
    session.once("close", () => finish(false));
  });
}
