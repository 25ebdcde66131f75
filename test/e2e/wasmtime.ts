import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import type { Artifact } from "../../core/artifact.ts";
import { home } from "../../toolchain/home.ts";
import { nativePlatform } from "../../toolchain/platform.ts";
import { fetchArtifact, openStore } from "../../toolchain/store.ts";

/** Wasmtime as its own project packs it for Python: the library of its C interface, and bindings. */
const WHEELS: Readonly<Record<string, Omit<Artifact, "source" | "name" | "version">>> = {
  "linux/amd64": {
    file: "wasmtime-50.0.1-py3-none-manylinux1_x86_64.whl",
    integrity: "sha256-cc14c3a17654e0394e0225b11813532ef0cd7bd1e222a0c5494cdedaabeddac4",
    size: 9586999,
  },
  "linux/arm64": {
    file: "wasmtime-50.0.1-py3-none-manylinux2014_aarch64.whl",
    integrity: "sha256-675484e525c028dc02762b777f1db4477ea70caa3fec6775426daff4d64edfb1",
    size: 8540007,
  },
};

/** Wants a file, and calls as JSON on its standard input. All of it in one instance; what it can't import of WASI preview 2 stops it. */
const RUN = `
import json, sys
from wasmtime import Engine, Store, WasiConfig
from wasmtime.component import Component, Linker
engine = Engine()
store = Store(engine)
store.set_wasi(WasiConfig())
linker = Linker(engine)
linker.add_wasip2()
instance = linker.instantiate(store, Component.from_file(engine, sys.argv[1]))
said = []
for name, *arguments in json.load(sys.stdin):
    function = instance.get_func(store, name)
    if function is None:
        sys.exit(f"the component exports no {name}")
    said.append(function(store, *arguments))
    function.post_return(store)
json.dump(said, sys.stdout)
`;

/**
 * Calls exports of a WebAssembly component, in Wasmtime, one after the other: what they return.
 * @param calls a name and its arguments each.
 * @throws what Wasmtime says, where it does not load, lacks an export, or traps.
 * @example await callComponent(wasm, [["answer", "/health"]]) // [[200, "ok"]]
 */
export async function callComponent(wasm: Buffer, calls: readonly (readonly string[])[]): Promise<unknown[]> {
  const wheel = WHEELS[nativePlatform() ?? ""];
  if (wheel === undefined) throw new Error(`no Wasmtime is pinned for ${process.arch}`);
  const artifact = { ...wheel, source: `pypi:${wheel.file}@wasmtime==50.0.1` };
  const path = await fetchArtifact(artifact, openStore(home().store));
  const folder = await mkdtemp(join(tmpdir(), "keelson-wasmtime-"));
  try {
    await execa("python3", ["-m", "zipfile", "-e", path, folder]);
    const file = join(folder, "component.wasm");
    await writeFile(file, wasm);
    const env = { PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: "1" };
    const { stdout } = await execa("python3", ["-c", RUN, file], { env, input: JSON.stringify(calls) });
    return JSON.parse(stdout);
  } finally {
    await rm(folder, { recursive: true });
  }
}
