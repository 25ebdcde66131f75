/** What the tool loader's `/health?full=true` says, as far as people are told of it (docs/tool-loader.md). */
export interface GatewayHealth {
  readonly status: string;
  readonly gateway: string;
  readonly tools: Readonly<Record<string, string>>;
}

/**
 * The lines at the end of `up` on the gateway that runs on this machine.
 * @example
 * formatGateway("gateway-core", "http://127.0.0.1:5843", { status: "healthy", gateway: "running", tools: { "ck-search": "installing" } })
 * // gateway-core is healthy: http://127.0.0.1:5843/health?full=true
 * //   tools: 1 installing (ck-search)
 */
export function formatGateway(image: string, url: string, { status, tools }: GatewayHealth): string {
  const states = [...new Set(Object.values(tools))].toSorted((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  const groups = states.map((state) => {
    const names = Object.keys(tools).filter((name) => tools[name] === state);
    return `${names.length} ${state} (${names.join(", ")})`;
  });
  return `${image} is ${status}: ${url}/health?full=true\n  tools: ${groups.join("; ") || "none"}`;
}

const ORDER = ["installed", "installing", "pending", "failed"];
const rank = (state: string): number => (ORDER.includes(state) ? ORDER.indexOf(state) : ORDER.length);
