/** A module that a Go program was linked from. */
export interface GoModule {
  /** @example "golang.org/x/sys" */
  readonly path: string;
  /** @example "v0.1.0"; "(devel)" for a checkout */
  readonly version: string;
}

/** What the Go compiler leaves in a program: `go version -m` prints it. */
export interface GoBuild {
  /** The release of Go, with the standard library that is linked in. @example "1.24.6" */
  readonly go: string;
  readonly main: GoModule;
  readonly modules: readonly GoModule[];
}

/** How the section starts (debug/buildinfo in Go's own library). */
const MAGIC = "\xff Go buildinf:";
/** In the flags' byte: both texts stand in the section itself. Programs of Go 1.17 and older point elsewhere. */
const INLINE = 2;
/** Where the texts start, bytes. */
const TEXTS = 32;
/** Marks before and behind the list of modules, bytes each. */
const MARK = 16;

/**
 * Reads the section `.go.buildinfo` of an ELF file; undefined for what is none, damaged, or of Go before 1.18.
 * @example readGoBuild(section)?.modules // [{ path: "golang.org/x/sys", version: "v0.1.0" }, …]
 */
export function readGoBuild(section: Uint8Array): GoBuild | undefined {
  const bytes = Buffer.from(section.buffer, section.byteOffset, section.byteLength);
  if (bytes.toString("latin1", 0, MAGIC.length) !== MAGIC || ((bytes[15] ?? 0) & INLINE) === 0) return undefined;
  const release = text(bytes, TEXTS);
  const list = release && text(bytes, release.end);
  if (!list) return undefined;
  const go = /^go(\d+(?:\.\d+)*(?:(?:rc|beta)\d+)?)/.exec(release.text)?.[1];
  const modules = moduleLines(list.text.slice(MARK, -MARK));
  const main = modules.find(({ kind }) => kind === "mod");
  if (go === undefined || main === undefined) return undefined;
  const linked = modules.filter(({ kind }) => kind === "dep");
  return { go, main: moduleOf(main), modules: linked.map(moduleOf) };
}

/** A length as Go writes it (7 bits a byte, the lowest first), then as many bytes. */
function text(bytes: Buffer, at: number): { readonly text: string; readonly end: number } | undefined {
  let [length, next] = [0, at];
  for (let factor = 1; ; factor *= 128) {
    const byte = bytes[next++];
    if (byte === undefined || factor > 2 ** 28) return undefined;
    length += (byte & 127) * factor;
    if (byte < 128) break;
  }
  const end = next + length;
  return end > bytes.length ? undefined : { text: bytes.toString("latin1", next, end), end };
}

interface Line extends GoModule {
  readonly kind: "mod" | "dep";
}

/** `dep<tab>PATH<tab>VERSION<tab>SUM`; what a `replace` put in its place follows as `=>`. */
function moduleLines(list: string): Line[] {
  const lines: Line[] = [];
  for (const line of list.split("\n")) {
    const [kind = "", path = "", version = ""] = line.split("\t");
    if (kind === "mod" || kind === "dep") lines.push({ kind, path, version });
    const replaced = kind === "=>" ? lines.pop() : undefined;
    if (replaced) lines.push({ kind: replaced.kind, path, version });
  }
  return lines;
}

const moduleOf = ({ path, version }: Line): GoModule => ({ path, version });
