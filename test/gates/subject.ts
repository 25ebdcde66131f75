import { type ReadImage, rootFsOf } from "../../core/analysis.ts";
import type { Finding } from "../../core/finding.ts";
import type { Gate, ImageSubject } from "../../gates/gate.ts";
import { digestOf } from "../../oci/digest.ts";
import { scanLayer } from "../../oci/layers.ts";
import type { ImageConfig } from "../../oci/schemas.ts";
import { type Entry, pieces, tarOf } from "../oci/tars.ts";

interface Given {
  /** Entries of each layer, lowest first. */
  readonly layers?: readonly (readonly Entry[])[];
  readonly config?: ImageConfig["config"];
  readonly history?: readonly string[];
}

/** An image made of real layers, read as gates see it; `over` replaces what a test is about. */
export async function subjectOf(given: Given = {}, over: Partial<ImageSubject> = {}): Promise<ImageSubject> {
  const layers = await Promise.all(
    (given.layers ?? []).map(async (entries) => {
      const tar = await tarOf(...entries);
      const scan = await scanLayer(pieces(tar));
      return {
        digest: digestOf(tar),
        mediaType: "application/vnd.oci.image.layer.v1.tar",
        compressed: tar.length,
        scan,
      };
    }),
  );
  const history = (given.history ?? []).map((createdBy) => ({ createdBy, empty: true }));
  const image: ReadImage = {
    reference: "localhost/app:1",
    platform: "linux/amd64",
    digest: digestOf("app"),
    layers,
    history,
  };
  return {
    name: "app",
    platform: "linux/amd64",
    image,
    files: rootFsOf(image).files(),
    config: { architecture: "amd64", os: "linux", config: given.config ?? {}, rootfs: { type: "layers" } },
    annotations: {},
    definition: {},
    ...over,
  };
}

/** What a gate finds, as `rule subject: message`. */
export const found = <T>(gate: Gate<T>, subject: T): string[] =>
  gate.check(subject).map((f: Finding) => `${f.rule} ${f.subject}: ${f.message}`);
