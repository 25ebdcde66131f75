import { stripVTControlCharacters } from "node:util";
import { formatSeconds } from "../../core/duration.ts";
import { formatBytes } from "../../core/size.ts";

/** Log lines that are kept of each step, for the message when it fails. */
const LOG_LINES = 20;
/** Longest log line that is kept, characters: a build may print megabytes without a line break. */
const LINE_LENGTH = 500;

interface Step {
  readonly name: string;
  started: number | undefined;
  completed: boolean;
  cached: boolean;
  error: string | undefined;
  log: string[];
  /** What the step says of itself, such as bytes moved. */
  detail: string;
}

/** Counts for the history. */
export interface StepCounts {
  readonly steps: number;
  readonly cached: number;
}

/** The step that failed, its error, and its last log lines. */
export interface FailedStep {
  readonly name: string;
  readonly error: string;
  readonly log: readonly string[];
}

/**
 * Follows a build from the lines that `buildx build --progress=rawjson` writes to standard error: one JSON object of
 * BuildKit's client.SolveStatus a line, and plain text for what failed at the end.
 * @example
 * const progress = new BuildProgress();
 * if (progress.take(line)) status(progress.current(Date.now()));
 */
export class BuildProgress {
  private readonly steps = new Map<string, Step>();
  private readonly plain: string[] = [];
  private latest: Step | undefined;
  private readonly pushes = new Map<string, number>();

  /** Takes a line; true when it changed what {@link current} says. */
  take(line: string): boolean {
    const status = parse(line);
    if (status === undefined) {
      if (line.trim() !== "") this.plain.push(withoutMiddle(line));
      return false;
    }
    for (const vertex of list(status.vertexes)) this.vertex(vertex);
    for (const detail of list(status.statuses)) this.detail(detail);
    for (const log of list(status.logs)) this.log(log);
    return true;
  }

  /** What the build does at a time (milliseconds since 1970), as one line. @example "[3/5] RUN make 12.3s" */
  current(now: number): string | undefined {
    const step = this.latest;
    if (step === undefined) return undefined;
    const seconds = step.started === undefined ? "" : ` ${formatSeconds(Math.max(0, now - step.started) / 1000)}`;
    return `${oneLine(step.name)}${step.detail === "" ? "" : ` ${step.detail}`}${seconds}`;
  }

  /** Steps of the Dockerfile, and how many the builder knew already. */
  counts(): StepCounts {
    const own = [...this.steps.values()].filter((step) => /^\[[^\]]*\d+\/\d+\] (?!FROM )/.test(step.name));
    return { steps: own.length, cached: own.filter((step) => step.cached).length };
  }

  /** Seconds in which layers and manifests were sent to the registry. */
  pushSeconds(): number {
    return [...this.pushes.values()].reduce((sum, seconds) => sum + seconds, 0);
  }

  failed(): FailedStep | undefined {
    const step = [...this.steps.values()].findLast((s) => s.error !== undefined && !/context canceled/.test(s.error));
    return step && { name: oneLine(step.name), error: step.error ?? "", log: step.log };
  }

  /** What stood between the JSON lines: the lines of the Dockerfile that failed, and the error. */
  text(): readonly string[] {
    return this.plain;
  }

  /** True when none of the Dockerfile's own steps runs, and something does: it reads from a registry or pushes there. */
  waitsForRegistry(): boolean {
    const running = [...this.steps.values()].filter((step) => step.started !== undefined && !step.completed);
    return running.length > 0 && running.every(({ name }) => !/^\[[^\]]*\d+\/\d+\] (?!FROM )/.test(name));
  }

  private vertex(raw: Raw): void {
    const name = text(raw.name);
    const step = this.step(text(raw.digest), name);
    if (raw.started !== undefined && step.started === undefined) step.started = Date.parse(text(raw.started));
    step.completed = raw.completed !== undefined;
    step.cached ||= raw.cached === true;
    if (typeof raw.error === "string" && raw.error !== "") step.error = raw.error;
    if (step.completed) {
      if (this.latest === step) this.latest = this.running() ?? step;
    } else if (raw.started !== undefined && !name.startsWith("[internal]")) this.latest = step;
  }

  private running(): Step | undefined {
    return [...this.steps.values()].findLast(
      (s) => s.started !== undefined && !s.completed && !s.name.startsWith("[internal]"),
    );
  }

  private detail(raw: Raw): void {
    const step = this.steps.get(text(raw.vertex));
    if (step === undefined) return;
    const [current, total] = [Number(raw.current ?? 0), Number(raw.total ?? 0)];
    const id = text(raw.id);
    if (raw.completed !== undefined && id.startsWith("pushing"))
      this.pushes.set(id, (Date.parse(text(raw.completed)) - Date.parse(text(raw.started))) / 1000);
    if (raw.completed !== undefined) step.detail = "";
    else if (total > 0) step.detail = `${label(id)} ${Math.floor((100 * current) / total)}% of ${formatBytes(total)}`;
    else step.detail = current > 0 ? `${label(id)} ${formatBytes(current)}` : label(id);
  }

  private log(raw: Raw): void {
    const step = this.steps.get(text(raw.vertex));
    if (step === undefined) return;
    const printed = stripVTControlCharacters(Buffer.from(text(raw.data), "base64").toString("utf8"));
    const lines = printed.split(/\r?\n|\r/);
    // The first piece goes on with the line that the last message left open.
    lines[0] = `${step.log.pop() ?? ""}${lines[0] ?? ""}`;
    for (const line of lines) step.log.push(line.slice(0, LINE_LENGTH));
    // One more than the limit, since the last is empty after a line break.
    step.log = step.log.slice(-LOG_LINES - 1);
  }

  private step(digest: string, name: string): Step {
    const known = this.steps.get(digest);
    if (known !== undefined) return known;
    const step: Step = {
      name,
      started: undefined,
      completed: false,
      cached: false,
      error: undefined,
      log: [],
      detail: "",
    };
    this.steps.set(digest, step);
    return step;
  }
}

type Raw = Readonly<Record<string, unknown>>;

function parse(line: string): Raw | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return isRaw(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRaw(value: unknown): value is Raw {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function list(value: unknown): Raw[] {
  return Array.isArray(value) ? value.filter(isRaw) : [];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** A line of a bearable length: buildx' errors begin with what failed, and end with why. */
function withoutMiddle(line: string): string {
  const half = LINE_LENGTH / 2 - 2;
  return line.length <= LINE_LENGTH ? line : `${line.slice(0, half)} … ${line.slice(-half)}`;
}

/** A status' id without what nobody reads. @example label("pushing manifest for host/x@sha256:…") // "pushing manifest" */
function label(id: string): string {
  return shortDigests(id.replace(/ (?:for|with) .*$/s, "").replace(/:$/, ""));
}

function shortDigests(text: string): string {
  return text.replaceAll(/(sha256:[0-9a-f]{12})[0-9a-f]{52}/g, "$1");
}

function oneLine(name: string): string {
  const line = shortDigests(name).replaceAll(/\s+/g, " ").trim();
  return line.length > 100 ? `${line.slice(0, 99)}…` : line;
}
