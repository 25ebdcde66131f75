import assert from "node:assert/strict";
import { inventoryOf } from "../../../core/sbom/inventory.ts";
import { imageOf } from "./image.ts";

describe("inventoryOf", () => {
  it("finds what a container sees, of every kind, in order", async () => {
    const { os, platform, components } = inventoryOf(await imageOf());
    assert.deepEqual(
      [os, platform],
      [{ id: "debian", version: "12", name: "Debian GNU/Linux 12 (bookworm)" }, "linux/amd64"],
    );
    assert.deepEqual(
      components.map((c) => c.purl ?? `${c.type} ${c.name} ${c.version}`),
      [
        "pkg:cargo/axum@0.8.6",
        "cargo weft 0.3.0",
        "cargo weft-core 0.3.0",
        "pkg:deb/debian/bash@5.2.15-2%2Bb8?arch=amd64&distro=debian-12&upstream=bash%405.2.15-2",
        "pkg:deb/debian/libssl3@3.0.15-1~deb12u1%2Bb1?arch=amd64&distro=debian-12&upstream=openssl%403.0.15-1~deb12u1",
        "golang github.com/tianon/gosu (devel)",
        "pkg:golang/golang.org/x/sys@v0.1.0",
        "pkg:golang/stdlib@1.24.6",
        "pkg:npm/%40types/node@24.10.1",
        "pkg:npm/ms@2.1.3",
        "pkg:pypi/pydantic-core@2.1.0",
      ],
    );
  });

  it("tells each place once, and what a Debian package was built from", async () => {
    const { components } = inventoryOf(await imageOf());
    const of = (name: string) => components.find((c) => c.name === name);
    assert.deepEqual(of("ms")?.paths, [
      "app/node_modules/a/node_modules/ms/package.json",
      "app/node_modules/ms/package.json",
    ]);
    assert.deepEqual(of("libssl3")?.source, { name: "openssl", version: "3.0.15-1~deb12u1" });
    assert.deepEqual(of("pydantic-core")?.paths, [
      "usr/lib/python3.11/site-packages/pydantic_core-2.1.0.dist-info/RECORD",
    ]);
  });

  it("names no distribution where there is none", async () => {
    const { os, components } = inventoryOf(await imageOf([[["a.txt", "hello"]]]));
    assert.deepEqual([os, components], [undefined, []]);
  });
});
