/** Milliseconds that a service has for its answer. */
const PATIENCE = 5000;

/**
 * Asks an address whether it serves.
 * @returns why not; undefined where it answers with 200.
 */
export async function whyUnhealthy(address: string, patience = PATIENCE): Promise<string | undefined> {
  try {
    const answer = await fetch(address, { redirect: "manual", signal: AbortSignal.timeout(patience) });
    await answer.body?.cancel();
    return answer.status === 200 ? undefined : `answers ${answer.status}`;
  } catch (error) {
    if ((error as Error).name === "TimeoutError") return `no answer within ${patience / 1000} s`;
    const { cause } = error as Error;
    return `no answer (${cause instanceof Error ? ("code" in cause ? String(cause.code) : cause.message) : (error as Error).message})`;
  }
}
