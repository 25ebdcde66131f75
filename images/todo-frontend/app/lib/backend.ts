/** Longest wait for todo-backend, milliseconds. */
const PATIENCE = 10_000;

/** Asks todo-backend, which alone writes todos. @throws Error with its status and answer */
export async function backend(method: string, path: string, body?: unknown): Promise<Response> {
  const base = process.env.BACKEND_URL ?? "http://todo-backend:8000";
  const response = await fetch(new URL(path, base), {
    method,
    cache: "no-store",
    signal: AbortSignal.timeout(PATIENCE),
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  if (response.ok || response.status === 404) return response;
  throw new Error(
    `todo-backend answered ${response.status} to ${method} ${path}: ${(await response.text()).slice(0, 200)}`,
  );
}
