import assert from "node:assert/strict";
import { inventoryOf } from "../../../core/sbom/inventory.ts";
import { queryOf } from "../../../core/scan/query.ts";
import { imageOf } from "../sbom/image.ts";

const STATUS = "Package: curl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 7.81.0-1ubuntu1.20\n";

/** An image of one Debian package on a distribution. */
const on = async (os: string) =>
  inventoryOf(
    await imageOf([
      [
        ["etc/os-release", os],
        ["var/lib/dpkg/status", STATUS],
      ],
    ]),
  );

describe("queryOf", () => {
  it("names packages as advisories do: Debian's by release and source, and none that no registry has", async () => {
    const inventory = inventoryOf(await imageOf());
    const { packages, uncovered } = queryOf([
      { image: "base", inventory },
      { image: "web", inventory },
    ]);
    assert.deepEqual(
      packages.map((p) => `${p.ecosystem} ${p.name} ${p.version}`),
      [
        "Debian:12 bash 5.2.15-2",
        "Debian:12 openssl 3.0.15-1~deb12u1",
        "Go golang.org/x/sys 0.1.0",
        "Go stdlib 1.24.6",
        "PyPI pydantic-core 2.1.0",
        "crates.io axum 0.8.6",
        "npm @types/node 24.10.1",
        "npm ms 2.1.3",
      ],
    );
    assert.deepEqual([packages[0]?.images, uncovered.size], [["base", "web"], 0]);
  });

  it("knows releases as the OSV schema writes them, and counts what none covers", async () => {
    const ecosystemOf = async (os: string) => {
      const { packages, uncovered } = queryOf([{ image: "a", inventory: await on(os) }]);
      return packages[0]?.ecosystem ?? uncovered.get("a");
    };
    assert.equal(await ecosystemOf('ID=ubuntu\nVERSION_ID="22.04"\n'), "Ubuntu:22.04:LTS");
    assert.equal(await ecosystemOf('ID=ubuntu\nVERSION_ID="23.04"\n'), "Ubuntu:23.04");
    assert.equal(await ecosystemOf("ID=debian\nVERSION_ID='13'\n"), "Debian:13");
    for (const none of ["ID=debian\n", 'ID=kali\nVERSION_ID="2026.1"\n', ""]) assert.equal(await ecosystemOf(none), 1);
  });
});
