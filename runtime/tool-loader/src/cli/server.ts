import { request } from "node:http";
import { CONTROL_HEADER } from "../serve/http.ts";

/** Seconds until the loader of this container counts as not running. */
const PATIENCE = 2;

/** Asks the loader that runs in this container. @returns undefined when none does */
export function askHealth(port: number): Promise<Record<string, unknown> | undefined> {
  return new Promise((resolve) => {
    const asked = request(
      { host: "127.0.0.1", port, path: "/health?full=true", timeout: PATIENCE * 1000 },
      (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        answer.on("end", () => {
          try {
            const body: unknown = JSON.parse(text);
            resolve(
              typeof (body as { toolDetails?: unknown }).toolDetails === "object"
                ? (body as Record<string, unknown>)
                : undefined,
            );
          } catch {
            resolve(undefined);
          }
        });
      },
    );
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => resolve(undefined));
    asked.end();
  });
}

/** A tool's state as the server streams it. */
export interface Streamed {
  readonly name: string;
  readonly status: string;
  readonly phase?: string;
  readonly progress?: { readonly done: number; readonly total: number | null };
  readonly lastError?: string;
  readonly source?: string;
  readonly seconds?: number;
}

/**
 * Has the running loader install a tool, and follows it.
 * @returns its last state, or undefined when no loader answers or it went away
 */
export function askInstall(
  port: number,
  tool: string,
  onState: (state: Streamed) => void,
): Promise<Streamed | undefined> {
  return new Promise((resolve) => {
    let last: Streamed | undefined;
    const asked = request(
      {
        host: "127.0.0.1",
        port,
        method: "POST",
        path: `/tools/${encodeURIComponent(tool)}/install`,
        headers: { [CONTROL_HEADER]: "1" },
      },
      (answer) => {
        if (answer.statusCode !== 200) {
          answer.resume();
          return resolve(undefined);
        }
        let rest = "";
        answer.setEncoding("utf8").on("data", (chunk: string) => {
          const blocks = (rest + chunk).split("\n\n");
          rest = blocks.pop() ?? "";
          for (const block of blocks) {
            const data = /^data: (.*)$/m.exec(block)?.[1];
            if (data === undefined) continue;
            last = JSON.parse(data) as Streamed;
            onState(last);
          }
        });
        answer.on("close", () => resolve(last?.status === "installed" || last?.status === "failed" ? last : undefined));
      },
    );
    asked.on("error", () => resolve(undefined));
    asked.end();
  });
}
