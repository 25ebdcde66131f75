/** What the tool loader's `/health?full=true` says, as far as people are told of it (docs/tool-loader.md). */
export interface GatewayHealth {
  readonly status: string;
  readonly gateway: string;
  readonly tools: Readonly<Record<string, string>>;
  readonly toolDetails?: Readonly<Record<string, { readonly lastError?: string | null | undefined }>>;
  readonly volume?: { readonly state: string; readonly message: string } | undefined;
  /** Mistakes in the loader's settings and specs, and what it does in place of what it was asked for. */
  readonly notes?: readonly string[];
}

/**
 * The lines at the end of `up` on the gateway that runs on this machine.
 * @example
 * formatGateway("gateway-core", "http://127.0.0.1:5843", { status: "healthy", gateway: "running", tools: { "ck-search": "installing" } })
 * // gateway-core is healthy: http://127.0.0.1:5843/health?full=true
 * //   tools: 1 installing (ck-search)
 */
export function formatGateway(image: string, url: string, health: GatewayHealth): string {
  const { status, tools } = health;
  const states = [...new Set(Object.values(tools))].toSorted((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  const groups = states.map((state) => {
    const names = Object.keys(tools).filter((name) => tools[name] === state);
    return `${names.length} ${state} (${names.join(", ")})`;
  });
  const lines = [`${image} is ${status}: ${url}/health?full=true`, `  tools: ${groups.join("; ") || "none"}`];
  const wrong = whatIsWrong(health);
  if (wrong.length > 0) lines.push(...wrong.map((line) => `    ${line}`), `  to look closer: ${DOCTOR}`);
  return lines.join("\n");
}

const DOCTOR = "npm run keelson -- services exec gateway tool-loader doctor";
/** Letters of a reason: what follows in a health is for who looks closer. */
const LONGEST = 400;

/** Why tools failed, what the volume does and what the loader notes; those that are well have nothing to say. */
function whatIsWrong({ tools, toolDetails = {}, volume, notes = [] }: GatewayHealth): string[] {
  const failed = Object.keys(tools).filter((name) => tools[name] === "failed");
  return [
    ...failed.map((name) => `${name}: ${toolDetails[name]?.lastError ?? "it doesn't say why"}`),
    ...(volume === undefined || FINE.includes(volume.state) ? [] : [`volume is ${volume.state}: ${volume.message}`]),
    ...notes,
  ].map((line) => (line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line));
}

const FINE = ["none", "unknown", "ok"];

const ORDER = ["installed", "installing", "pending", "failed"];
const rank = (state: string): number => (ORDER.includes(state) ? ORDER.indexOf(state) : ORDER.length);
