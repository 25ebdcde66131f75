import type { Chart, ChartValue } from "./chart.ts";
import type { FactList, Place, PortSetting, SizeSetting } from "./facts.ts";
import { quantityOf } from "./units.ts";

const IMAGE = /^\s*(?:-\s+)?image:\s*(?:"([^"]+)"|'([^']+)'|([^\s#"'][^#"']*))/;
const CONTAINER = /^\s*(?:-\s+)?(?:containers|initContainers):\s*$/;
/** Longer lines hold data, no settings. */
const MAX_LINE = 2000;

/**
 * Adds the images of Kubernetes manifests and chart templates. Read by line, not as YAML: templates are none.
 * Ports and limits count for the image above them.
 * @param chart the chart that a template belongs to: its values are put in.
 */
export function readManifest(file: string, text: string, facts: FactList, chart?: Chart): void {
  if (!text.includes("image:") || !/^\s*(?:-\s+)?containers:/m.test(text)) return;
  let ports: PortSetting[] = [];
  let sizes: SizeSetting[] = [];
  let inLimits = false;
  let inContainers = false;
  for (const [index, line] of text.split("\n").entries()) {
    if (line.length > MAX_LINE) continue;
    const place = { file, line: index + 1 };
    if (CONTAINER.test(line)) inContainers = true;
    if (/^---\s*$/.test(line)) inContainers = false;
    const image = IMAGE.exec(filled(line, chart));
    if (image && inContainers) {
      ports = [];
      sizes = [];
      const written = (image[1] ?? image[2] ?? image[3] ?? "").trim();
      const ref = written.replace(/\$\{[^}]*\}|\$\([^)]*\)|\$\w+/g, "*");
      const by = chart ? "helm" : "manifest";
      // Some tools put their own schemes there: ko://module.
      if (!/[\s{]|:\/\//.test(ref)) facts.uses.push({ ...place, by, ref, ports, sizes, builtHere: false });
      continue;
    }
    const port = setting(line, /\bcontainerPort:\s*(\{\{[^{}]*\}\}|[^\s,}#]+)/, place, chart);
    if (port && /^\d+$/.test(port.text)) ports.push({ file: port.file, line: port.line, port: Number(port.text) });
    if (/^\s*limits:\s*$/.test(line)) inLimits = true;
    else if (/^\s*requests:\s*$/.test(line)) inLimits = false;
    const memory = inLimits
      ? setting(line, /^\s*memory:\s*(["']?\{\{[^{}]*\}\}["']?|[^\s#]+)/, place, chart)
      : undefined;
    const bytes = memory === undefined ? undefined : quantityOf(memory.text);
    if (memory !== undefined && bytes !== undefined)
      sizes.push({ file: memory.file, line: memory.line, what: "memory limit", written: memory.text, bytes });
  }
}

const ACTION = /\{\{([^{}]*)\}\}/g;

/** Actions of a template replaced by the chart's values; `*` for those that only a render knows. */
function filled(text: string, chart: Chart | undefined): string {
  return text.replace(ACTION, (_, action: string) => chart?.valueOf(action.trim())?.text ?? "*");
}

/** A setting's value with the place where it is set: the chart's values, where one action is all of it. */
function setting(line: string, pattern: RegExp, place: Place, chart: Chart | undefined): ChartValue | undefined {
  const written = pattern
    .exec(line)?.[1]
    ?.replace(/\s+#.*$/, "")
    .trim();
  if (written === undefined) return undefined;
  const action = /^["']?\{\{([^{}]*)\}\}["']?$/.exec(written)?.[1];
  if (action === undefined) return { ...place, text: written.replace(/^(["'])(.*)\1$/, "$2") };
  return chart?.valueOf(action.trim());
}
