import type { ClientRequest, IncomingMessage } from "node:http";

/**
 * Sends a request and says whether its answer is a good one; no answer, or none in the request's `timeout`, is none.
 * @example await answersWell(request({ host: "127.0.0.1", port, path: "/health", timeout: 2000, agent: false }))
 * @param isGood default: status 200, whatever it holds
 */
export function answersWell(
  query: ClientRequest,
  isGood: (response: IncomingMessage) => boolean | Promise<boolean> = isOk,
): Promise<boolean> {
  // An answer that breaks off in the middle is no good one.
  const judged = async (response: IncomingMessage) => {
    try {
      return await isGood(response);
    } catch {
      return false;
    }
  };
  return new Promise((resolve) => {
    query.once("response", (response) => resolve(judged(response)));
    query.once("timeout", () => query.destroy());
    query.once("error", () => resolve(false));
    query.once("close", () => resolve(false));
    query.end();
  });
}

function isOk(response: IncomingMessage): boolean {
  response.resume();
  return response.statusCode === 200;
}
