import type { Readable } from "node:stream";
import { PassThrough, Writable } from "node:stream";
import type { Exec } from "@kubernetes/client-node";
import { UserError } from "../core/error.ts";
import type { Pod } from "../core/kubernetes/objects.ts";
import { isLive } from "../core/kubernetes/pod.ts";
import { containerOf, podsOf } from "./cluster-logs.ts";
import { findWorkload, type OpenCluster } from "./cluster-session.ts";
import type { Listener } from "./host-session.ts";
import type { Input, Terminal } from "./input.ts";

/** What a command ends with that could not be started, as docker and shells have it. */
const NOT_STARTED = 126;
/** What one ends with that is not there. */
const NOT_THERE = 127;
/** How runc says that, whatever stands before it. */
const ABSENT = /exec: "([^"]+)": (?:executable file not found in \$PATH|stat \S+ no such file or directory)/;
/** Streams of the API server's remote command protocol (v5.channel.k8s.io), by the first byte of a message. */
const CHANNEL = { stdin: 0, resize: 4, close: 255 } as const;

type Socket = Awaited<ReturnType<Exec["exec"]>>;

/** Runs a command in a pod that serves. @param input default: none. @returns its exit code */
export async function clusterExec(
  cluster: OpenCluster,
  service: string,
  command: readonly string[],
  listener: Listener,
  input: Input = {},
): Promise<number> {
  const workload = await findWorkload(cluster, service);
  const pod = (await podsOf(cluster, workload)).find(serves);
  if (pod === undefined)
    throw new UserError(`no pod of ${service} serves on ${cluster.name}`, "see `keelson status` for why");
  // Not of the package's main module, which would load a model of every kind.
  const { Exec } = await import("@kubernetes/client-node/dist/exec.js");
  const { config } = await cluster.api.opened();
  const isTerminal = input.terminal !== undefined;
  const status = await new Promise<Status>((resolve, reject) => {
    new Exec(config)
      .exec(
        workload.namespace,
        pod.metadata?.name ?? "",
        containerOf(pod),
        [...command],
        to(listener.stdout),
        // A terminal has one output for all.
        isTerminal ? null : to(listener.stderr),
        // It says that there is one, and is not written to: the library knows no end to what it sends.
        input.stream === undefined ? null : new PassThrough(),
        isTerminal,
        resolve,
      )
      .then((socket) => {
        const broken = () => reject(new UserError("the connection to the pod broke", "run it again"));
        socket.onclose = broken;
        socket.onerror = broken;
        if (input.terminal !== undefined) sendSizes(socket, input.terminal);
        if (input.stream !== undefined) sendInput(socket, input.stream, listener).catch(broken);
      }, reject);
  });
  const code = status.details?.causes?.find(({ reason }) => reason === "ExitCode")?.message;
  if (status.status === "Success" || code !== undefined) return Number(code ?? 0);
  const [, program] = ABSENT.exec(status.message ?? "") ?? [];
  const why =
    program === undefined ? status.message : `the image of ${service} has no program ${program}: name one that it has`;
  listener.stderr(Buffer.from(`${why ?? "it could not be started"}\n`));
  return program === undefined ? NOT_STARTED : NOT_THERE;
}

/** What the API server says of a command that ended (meta/v1, Status). */
interface Status {
  readonly status?: string;
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
}

function to(say: (chunk: Buffer) => void): Writable {
  return new Writable({
    write: (chunk: Buffer, _, done) => {
      say(chunk);
      done();
    },
  });
}

/** As fast as the connection takes it, and its end. */
async function sendInput(socket: Socket, stream: Readable, { stderr }: Listener): Promise<void> {
  for await (const chunk of stream) {
    if (socket.readyState !== socket.OPEN) return;
    await send(socket, CHANNEL.stdin, Buffer.from(chunk as Buffer));
  }
  if (socket.protocol === "v5.channel.k8s.io") await send(socket, CHANNEL.close, Buffer.of(CHANNEL.stdin));
  else
    stderr(
      Buffer.from("this cluster can't be told that the input has ended (Kubernetes 1.30 can): end it by Ctrl-C\n"),
    );
}

function send(socket: Socket, channel: number, data: Buffer): Promise<void> {
  const message = Buffer.concat([Buffer.of(channel), data]);
  return new Promise((resolve, reject) => socket.send(message, (error?: Error) => (error ? reject(error) : resolve())));
}

function sendSizes(socket: Socket, { size, onResize }: Terminal): void {
  const tell = ({ rows, columns }: ReturnType<Terminal["size"]>) => {
    const text = JSON.stringify({ Width: columns, Height: rows });
    // A size that does not arrive is no failure: the end of the connection says what is.
    if (socket.readyState === socket.OPEN) send(socket, CHANNEL.resize, Buffer.from(text)).catch(() => undefined);
  };
  onResize(tell);
  tell(size());
}

function serves(pod: Pod): boolean {
  return (
    isLive(pod) && (pod.status?.conditions ?? []).some(({ type, status }) => type === "Ready" && status === "True")
  );
}
