import type { EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb.js";

/** Severity of a line that the engine shows beside a resource. */
export type LogSeverity = "debug" | "info" | "warning" | "error";

/**
 * Milliseconds between two status lines of one resource. A terminal shows them in place; elsewhere the engine prints
 * each as a line of its own, and a log wants signs of life, no flood.
 */
const STATUS_INTERVAL = { live: 250, plain: 10_000 };

/**
 * Lines beside resources in the engine's display. Nothing here ever fails a run: a line that can't be sent is dropped.
 * @example new EngineLog("127.0.0.1:34567", "live").status(urn, "linux/arm64 [3/5] RUN make 12.3s")
 */
export class EngineLog {
  private readonly address: string | undefined;
  private readonly interval: number;
  private readonly last = new Map<string, { at: number; message: string }>();
  private client: Promise<EngineClient> | undefined;
  private queue: Promise<void> = Promise.resolve();

  constructor(address: string | undefined, display: keyof typeof STATUS_INTERVAL) {
    this.address = address;
    this.interval = STATUS_INTERVAL[display];
  }

  send(urn: string, severity: LogSeverity, message: string): void {
    this.post(urn, severity, message, false);
  }

  /** A line that stands until the next; more of them than the display can use are dropped. */
  status(urn: string, message: string): void {
    const now = performance.now();
    const last = this.last.get(urn);
    if (last !== undefined && (last.message === message || now - last.at < this.interval)) return;
    this.last.set(urn, { at: now, message });
    this.post(urn, "info", message, true);
  }

  /** The last status line: it stands from then on. Where none was shown before it, there is nothing to end. */
  end(urn: string, message: string): void {
    const last = this.last.get(urn);
    this.last.delete(urn);
    if (last !== undefined && last.message !== message) this.post(urn, "info", message, true);
  }

  /** A line that stands until the next; each is sent. */
  line(urn: string, message: string): void {
    this.post(urn, "info", message, true);
  }

  /** Resolves when all that was sent has arrived. */
  async flush(): Promise<void> {
    await this.queue;
  }

  /** {@link flush}, and ends the connection, which would keep a process alive. */
  async close(): Promise<void> {
    await this.flush();
    (await this.client)?.close();
    this.client = undefined;
  }

  private post(urn: string, severity: LogSeverity, message: string, ephemeral: boolean): void {
    const address = this.address;
    if (address === undefined) return;
    this.queue = this.queue.then(() => this.deliver(address, urn, severity, message, ephemeral)).catch(() => undefined);
  }

  private async deliver(
    address: string,
    urn: string,
    severity: LogSeverity,
    message: string,
    ephemeral: boolean,
  ): Promise<void> {
    const [{ default: engine }, { Metadata }] = await Promise.all([
      import("@pulumi/pulumi/proto/engine_pb.js"),
      import("@grpc/grpc-js"),
    ]);
    this.client ??= connect(address);
    const client = await this.client;
    const request = new engine.LogRequest();
    request.setUrn(urn);
    request.setSeverity({ debug: 0, info: 1, warning: 2, error: 3 }[severity] as 0 | 1 | 2 | 3);
    request.setMessage(message);
    request.setEphemeral(ephemeral);
    await new Promise<void>((resolve) => {
      client.log(request, new Metadata(), { deadline: Date.now() + 2000 }, () => resolve());
    });
  }
}

async function connect(address: string): Promise<EngineClient> {
  const [{ credentials }, { default: service }] = await Promise.all([
    import("@grpc/grpc-js"),
    import("@pulumi/pulumi/proto/engine_grpc_pb.js"),
  ]);
  return new service.EngineClient(address, credentials.createInsecure());
}
