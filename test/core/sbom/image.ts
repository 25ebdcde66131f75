import { deflateSync } from "node:zlib";
import type { ReadImage } from "../../../core/analysis.ts";
import { subjectOf } from "../../gates/subject.ts";
import type { Entry } from "../../oci/tars.ts";
import { goSection } from "../go-section.ts";

const STATUS = `Package: libssl3
Status: install ok installed
Architecture: amd64
Source: openssl (3.0.15-1~deb12u1)
Version: 3.0.15-1~deb12u1+b1

Package: bash
Status: install ok installed
Architecture: amd64
Version: 5.2.15-2+b8
Source: bash (5.2.15-2)

Package: gone
Status: deinstall ok config-files
Version: 1
`;

const OS = `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n`;

/** An ELF file of 64 bits with one section besides its names. */
export function elfWith(name: string, content: Buffer): Buffer {
  const names = Buffer.from(`\0.shstrtab\0${name}\0`);
  const [head, sections] = [Buffer.alloc(64), Buffer.alloc(3 * 64)];
  head.write("\x7fELF\x02\x01\x01", "latin1");
  head.writeUInt16LE(62, 18);
  head.writeBigUInt64LE(BigInt(64 + names.length + content.length), 40);
  head.writeUInt16LE(64, 58);
  head.writeUInt16LE(3, 60);
  head.writeUInt16LE(1, 62);
  const section = (index: number, nameAt: number, kind: number, offset: number, size: number) => {
    const at = index * 64;
    sections.writeUInt32LE(nameAt, at);
    sections.writeUInt32LE(kind, at + 4);
    sections.writeBigUInt64LE(BigInt(offset), at + 24);
    sections.writeBigUInt64LE(BigInt(size), at + 32);
  };
  section(1, 1, 3, 64, names.length);
  section(2, 11, 1, 64 + names.length, content.length);
  return Buffer.concat([head, names, content, sections]);
}

const CRATES = {
  packages: [
    { name: "weft", version: "0.3.0", source: "local", root: true },
    { name: "weft-core", version: "0.3.0", source: "local" },
    { name: "axum", version: "0.8.6", source: "crates.io" },
  ],
};

const GO = [
  "path\tgithub.com/tianon/gosu",
  "mod\tgithub.com/tianon/gosu\t(devel)",
  "dep\tgolang.org/x/sys\tv0.1.0\th1:z=",
];

const SITE = "usr/lib/python3.11/site-packages";

/** Two layers: one of each kind of package, one of them of another version than the lower layer's, one deleted. */
export const LAYERS: readonly (readonly Entry[])[] = [
  [
    ["usr/lib/os-release", OS],
    ["etc/os-release", "", { type: "symlink", linkname: "../usr/lib/os-release" }],
    ["var/lib/dpkg/status", STATUS],
    ["usr/bin/gosu", elfWith(".go.buildinfo", goSection("go1.24.6", GO))],
    ["usr/bin/weft", elfWith(".dep-v0", deflateSync(JSON.stringify(CRATES)))],
    [`${SITE}/pydantic_core-2.0.0.dist-info/RECORD`, "pydantic_core/x.py,,\n"],
    ["app/node_modules/@types/node/package.json", '{"name":"@types/node","version":"24.10.1"}'],
    ["app/node_modules/a/node_modules/ms/package.json", '{"name":"ms","version":"2.1.3"}'],
    ["app/node_modules/ms/package.json", '{"name":"ms","version":"2.1.3"}'],
  ],
  [
    [`${SITE}/.wh.pydantic_core-2.0.0.dist-info`, ""],
    [`${SITE}/pydantic_core-2.1.0.dist-info/RECORD`, "pydantic_core/x.py,,\n"],
  ],
];

export const imageOf = async (layers = LAYERS): Promise<ReadImage> => (await subjectOf({ layers })).image;
