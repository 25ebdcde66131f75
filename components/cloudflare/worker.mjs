// The Worker of CloudflareSandbox: one container, which the first request starts, and all reach.
import { DurableObject } from "cloudflare:workers";

/** The loader's port: it serves /health, and its gateway listens inside of the container alone. */
const PORT = 8080;
/** Milliseconds that a container gets to listen, and between two tries. */
const START = { within: 60_000, every: 300 };
/** Milliseconds between two looks at the container: Cloudflare ends an object that nobody asks after a minute or two, and its container with it. */
const LOOK_EVERY = 45_000;
/** What is said of a request that no container has had (@cloudflare/containers, lib/container.js). */
const NOT_THERE = /not listening|no container instance/;

export class Sandbox extends DurableObject {
  async fetch(request) {
    await this.#look();
    const port = this.ctx.container.getTcpPort(PORT);
    const end = Date.now() + START.within;
    for (;;) {
      try {
        this.#start();
        return await port.fetch(request.url.replace(/^https:/, "http:"), request.clone());
      } catch (error) {
        // What may have been done already is not done again.
        const repeatable = NOT_THERE.test(error.message) || request.method === "GET" || request.method === "HEAD";
        if (!repeatable) return new Response(`the container broke off: ${error.message}`, { status: 502 });
        if (Date.now() > end) return new Response(`the container does not answer: ${error.message}`, { status: 503 });
        await new Promise((resolve) => setTimeout(resolve, START.every));
      }
    }
  }

  /** A gateway is there while nobody asks it, too: it loads its tools, and listens to others than this Worker. */
  async alarm() {
    await this.#look();
    try {
      this.#start();
    } catch {
      // There is none for it now: the next look tries again.
    }
  }

  async #look() {
    const { storage } = this.ctx;
    if ((await storage.getAlarm()) === null) await storage.setAlarm(Date.now() + LOOK_EVERY);
  }

  #start() {
    const { container } = this.ctx;
    if (!container.running) container.start({ enableInternet: true, env: settings(this.env) });
  }
}

/** Bindings that are text, secret or not, are the container's environment. */
function settings(env) {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => typeof value === "string"));
}

export default {
  fetch: (request, env) => env.SANDBOX.get(env.SANDBOX.idFromName("sandbox")).fetch(request),
};
