// The Worker of CloudflareSandbox: one container, which requests start and reach.
import { DurableObject } from "cloudflare:workers";

/** The loader's port: it serves /health, and its gateway listens inside of the container alone. */
const PORT = 8080;
/** Milliseconds that a container gets to listen, and between two tries. */
const START = { within: 60_000, every: 300 };

export class Sandbox extends DurableObject {
  async fetch(request) {
    const { container } = this.ctx;
    if (!container.running) container.start({ enableInternet: true, env: settings(this.env) });
    const port = container.getTcpPort(PORT);
    const end = Date.now() + START.within;
    for (;;) {
      try {
        return await port.fetch(request.url.replace("https:", "http:"), request.clone());
      } catch (error) {
        // It doesn't listen yet.
        if (Date.now() > end) return new Response(`the container does not answer: ${error.message}`, { status: 503 });
        await new Promise((resolve) => setTimeout(resolve, START.every));
      }
    }
  }
}

/** Bindings that are text, secret or not, are the container's environment. */
function settings(env) {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => typeof value === "string"));
}

export default {
  fetch: (request, env) => env.SANDBOX.get(env.SANDBOX.idFromName("sandbox")).fetch(request),
};
