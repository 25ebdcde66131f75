import { createServer } from "node:net";
import { UserError } from "../../core/error.ts";

/** Ports tried after the first, one by one. */
const PORTS_TRIED = 100;

/** A port of loopback for a service. */
export interface ChosenPort {
  readonly port: number;
  /** What a person should know: that another port than before was chosen. */
  readonly notice?: string;
}

/**
 * The service's port of before where nothing else holds it, else the first free one from `first` on.
 * @example await choosePort("registry", { first: 5443 }) // { port: 5443 }
 * @throws UserError where all of them are taken.
 */
export async function choosePort(
  service: string,
  { first, before }: { readonly first: number; readonly before?: number | undefined },
): Promise<ChosenPort> {
  const wanted = before ?? first;
  for (const port of [wanted, ...Array.from({ length: PORTS_TRIED }, (_, i) => first + i)]) {
    if (!(await isFree(port))) continue;
    if (port === wanted) return { port };
    return { port, notice: `port ${wanted} is taken by another program: the embedded ${service} now uses ${port}` };
  }
  throw new UserError(
    `expected a free port for the embedded ${service}, found ${first} to ${first + PORTS_TRIED - 1} taken`,
    "stop what listens there (`ss -ltnp`), then run this again",
  );
}

/** Whether nothing listens on the port, on loopback or on all addresses. */
async function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** A port that was free when it was chosen may be another program's a moment later: then another is chosen. */
export async function onFreePort<T>(start: () => Promise<T>, attempts = 4): Promise<T> {
  try {
    return await start();
  } catch (error) {
    const taken = error instanceof UserError && /address already in use/i.test(error.message);
    if (!taken || attempts <= 1) throw error;
    return onFreePort(start, attempts - 1);
  }
}
