import { spawn, spawnSync } from "node:child_process";
import { Duplex } from "node:stream";
import zlib from "node:zlib";
import { ToolError } from "../error.ts";

export type Encoding = "zstd" | "gzip";

/** Bytes of window that an archive may ask the decompressor for: 128 MiB, zstd's own limit without --ultra. */
const WINDOW_LOG_MAX = 27;

/** True where node compresses zstd itself: 22.15, 23.8 and newer. */
const inNode = typeof zlib.createZstdCompress === "function";

/** What archives are written with: zstd, by node or by the program `zstd`; gzip where there is neither. */
export function bestEncoding(here: boolean = inNode, program = "zstd"): Encoding {
  return here || spawnSync(program, ["--version"], { stdio: "ignore" }).status === 0 ? "zstd" : "gzip";
}

/** A compressor. Level 3 for zstd: the volume is written once and a faster start is worth more than a smaller archive. */
export function compressor(encoding: Encoding): Duplex {
  if (encoding === "gzip") return zlib.createGzip({ level: 6 });
  if (!inNode) return program(["zstd", "-q", "-3", "-c"]);
  return zlib.createZstdCompress({ params: { [zlib.constants.ZSTD_c_compressionLevel]: 3 } });
}

/** A decompressor that refuses windows which would take the memory that the gateway needs. */
export function decompressor(encoding: Encoding): Duplex {
  if (encoding === "gzip") return zlib.createGunzip();
  if (!inNode) return program(["zstd", "-q", "-d", "-c", `--memory=${2 ** (WINDOW_LOG_MAX - 20)}MB`]);
  return zlib.createZstdDecompress({ params: { [zlib.constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX } });
}

function program(argv: readonly string[]): Duplex {
  const child = spawn(argv[0] as string, argv.slice(1), { stdio: ["pipe", "pipe", "ignore"] });
  const stream = Duplex.from({ writable: child.stdin, readable: child.stdout });
  child.on("error", (cause) => stream.destroy(new ToolError("permanent", "the program zstd is missing", { cause })));
  child.on("exit", (code) => {
    if (code !== 0) stream.destroy(new ToolError("permanent", `zstd ended with exit code ${code}`));
  });
  return stream;
}
