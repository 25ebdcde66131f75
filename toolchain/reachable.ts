import { execa } from "execa";
import { findExecutable } from "./executable.ts";

/** A host that doesn't answer in this time is taken as cut off: the next way to get a tool is tried instead. */
const PATIENCE_SECONDS = 5;

/**
 * Why a download can't be had from here, undefined where it can: asks for its head, once, for a few seconds.
 * curl is preferred since it knows the machine's proxies and certificates.
 * @example await whyUnreachable("https://get.pulumi.com/") // "HTTP 403"
 */
export async function whyUnreachable(url: string): Promise<string | undefined> {
  const curl = findExecutable("curl");
  return curl ? askCurl(curl, url) : askFetch(url);
}

async function askCurl(curl: string, url: string): Promise<string | undefined> {
  const { stdout, stderr } = await execa(
    curl,
    ["-sSIL", "--max-time", String(PATIENCE_SECONDS), "-o", "/dev/null", "-w", "%{http_code}", url],
    { reject: false, stdin: "ignore" },
  );
  return judge(Number(stdout), stderr.replace(/^curl: \(\d+\) /, ""));
}

async function askFetch(url: string): Promise<string | undefined> {
  try {
    const { status } = await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(PATIENCE_SECONDS * 1000) });
    return judge(status, "");
  } catch (error) {
    const { message, cause } = error as Error;
    return cause instanceof Error ? cause.message : message;
  }
}

function judge(status: number, message: string): string | undefined {
  if (status >= 200 && status < 400) return undefined;
  return status > 0 ? `HTTP ${status}` : message || "no answer";
}
