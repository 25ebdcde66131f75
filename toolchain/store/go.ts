import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../core/error.ts";
import type { Platform } from "../../core/platform.ts";
import { buildEnvironment, findGo } from "../sources/go.ts";
import { runClient } from "./clients.ts";

/** A Go program as locks name it: `<package>@<version>#go<release>`. */
export interface GoProgram {
  readonly package: string;
  readonly version: string;
  /** The Go release that builds it: another one makes other bytes. */
  readonly release: string;
}

/**
 * Reads a Go program's place.
 * @example goProgram("github.com/mikefarah/yq/v4@v4.53.3#go1.26.8").release // "1.26.8"
 * @throws UserError
 */
export function goProgram(location: string): GoProgram {
  const parts = /^(\w[\w.~/-]*)@(v\d[\w.+-]*)#go(\d+\.\d+(?:\.\d+)?)$/.exec(location);
  if (parts === null)
    throw new UserError(
      `expected a Go program such as example.org/cmd/x@v1.2.3#go1.26.8, found ${JSON.stringify(location)}`,
      "correct it in packages.json, or write the lock anew",
    );
  return { package: parts[1] as string, version: parts[2] as string, release: parts[3] as string };
}

/**
 * Builds a Go program for a platform, from the module proxy that the machine's Go is set up with, by exactly one
 * release of Go, without cgo, paths or debug information: the same bytes on every machine.
 * @returns the executable, in `dir`
 */
export async function goBuild(
  location: string,
  platform: Platform,
  dir: string,
  signal?: AbortSignal,
): Promise<string> {
  const program = goProgram(location);
  const fix = `install Go ${program.release}, or a newer one that may fetch it`;
  const go = findGo();
  if (go === undefined) throw new UserError(`${location} is built from source: no Go on PATH`, fix);
  const work = join(dir, "go");
  const environment = {
    ...(await buildEnvironment(go)),
    GOTOOLCHAIN: `go${program.release}`,
    GOOS: "linux",
    GOARCH: platform === "linux/arm64" ? "arm64" : "amd64",
    // As Go itself defaults to: settings of the machine's must not change the bytes.
    GOAMD64: "v1",
    GOARM64: "v8.0",
    GOEXPERIMENT: "",
    // Where `go install` puts programs; for another platform than its own it refuses GOBIN.
    GOPATH: work,
    GOBIN: "",
    GOTMPDIR: dir,
  };
  const args = ["install", "-trimpath", "-ldflags=-s -w -buildid=", `${program.package}@${program.version}`];
  await runClient(go, args, dir, `go install ${program.package}@${program.version}`, fix, signal, environment);
  return executable(join(work, "bin"));
}

/** `bin/x`, or `bin/linux_arm64/x` where it was built for another platform. */
async function executable(folder: string): Promise<string> {
  const found = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((e) => e.isFile());
  const [only] = found;
  if (found.length !== 1 || only === undefined) throw new Error(`expected one executable, found ${found.length}`);
  return join(only.parentPath, only.name);
}
