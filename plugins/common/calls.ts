import { Metadata, type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";
import { asUserError } from "../../core/error.ts";

/**
 * The calls that a plugin has under way, and their cancellation.
 * @example server.addService(service.ResourceProviderService, { create: calls.unary((request) => create(request)) })
 */
export class Calls {
  private readonly cancellation = new AbortController();
  private readonly active = new Set<Promise<unknown>>();

  /** Aborted when the run is cancelled. */
  get signal(): AbortSignal {
    return this.cancellation.signal;
  }

  /** Aborts what is under way; later calls fail at once. */
  cancel(): void {
    this.cancellation.abort(new Error("cancelled"));
  }

  /** Resolves when no call is under way. */
  async idle(): Promise<void> {
    while (this.active.size > 0) await Promise.allSettled(this.active);
  }

  /** A method of a gRPC service that answers with what the promise gives, or with its error's message. */
  unary<Request, Response>(handle: (request: Request) => Promise<Response>) {
    return (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>): void => {
      // What is thrown before there is a promise is an answer, too, and not the end of the plugin.
      const answered = (async () => handle(call.request))().then(
        (response) => callback(null, response),
        (error: unknown) =>
          callback({ code: codeOf(error), details: describe(error), metadata: metadataOf(error) }, null),
      );
      this.active.add(answered);
      answered.then(() => this.active.delete(answered));
    };
  }
}

/** A failure that gRPC has a code of its own for. */
export class StatusError extends Error {
  override readonly name = "StatusError";
  readonly expected = true;
  readonly code: status;

  constructor(code: status, message: string) {
    super(message);
    this.code = code;
  }
}

function codeOf(error: unknown): status {
  return error instanceof StatusError ? error.code : status.UNKNOWN;
}

/** What comes beside the message, for the engine. */
function metadataOf(error: unknown): Metadata {
  return error instanceof Error && "metadata" in error && error.metadata instanceof Metadata
    ? error.metadata
    : new Metadata();
}

/** A message for people; a stack only where nobody foresaw the failure. */
function describe(failure: unknown): string {
  const error = asUserError(failure);
  if (!(error instanceof Error)) return String(error);
  if ("fix" in error) return `${error.message}\n  fix: ${String(error.fix)}`;
  const expected = error.message === "cancelled" || ("expected" in error && error.expected === true);
  return expected ? error.message : (error.stack ?? error.message);
}
