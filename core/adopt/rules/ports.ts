import type { Finding } from "../../finding.ts";
import type { Place, PortSetting, Use } from "../facts.ts";
import type { AdoptedImage } from "../model.ts";
import { formatPlace } from "../places.ts";
import { imageInstructions } from "../stages.ts";
import { type AdoptedTree, ancestry, imagesById } from "../tree.ts";
import { unique } from "./sources.ts";

interface OwnPorts {
  readonly exposed: readonly PortSetting[];
  /** Ranges or variables among them: nobody knows them all. */
  readonly open: boolean;
  /** Ports that HEALTHCHECK and ENV PORT name. */
  readonly relied: readonly (PortSetting & { readonly by: string })[];
}

/** Ports that Dockerfile, compose, Helm values, manifests and scripts do not agree on. */
export function portsThatDisagree(tree: AdoptedTree): Finding[] {
  const images = imagesById(tree.images);
  const users = usesByImage(tree);
  const ports = new Map(tree.images.map((image) => [image, ownPorts(image)]));
  // A chart's values count for themselves and through its templates.
  return unique(
    tree.images.flatMap((image) => {
      const own = withBases(ancestry(image, images).flatMap((one) => ports.get(one) ?? []));
      const uses = users.get(image.id) ?? [];
      return own.exposed.length > 0 ? against(image, own, uses) : among(image, uses);
    }),
  );
}

/** Uses of each image of the tree, by its id. */
export function usesByImage(tree: AdoptedTree): ReadonlyMap<string, readonly Use[]> {
  const byBuild = new Map(
    tree.images.flatMap((image) =>
      image.builds.map((build) => [`${build.file}\0${build.name ?? ""}`, image.id] as const),
    ),
  );
  const found = new Map<string, Use[]>();
  for (const use of tree.facts.uses) {
    const id = use.builtHere ? byBuild.get(`${use.file}\0${use.name ?? ""}`) : tree.imageOf(use.ref, use.file)?.id;
    if (id !== undefined) found.set(id, [...(found.get(id) ?? []), use]);
  }
  return found;
}

/** The ports of an image itself, without those of its bases. */
function ownPorts({ file, stage }: AdoptedImage): OwnPorts {
  const exposed: PortSetting[] = [];
  const relied: (PortSetting & { by: string })[] = [];
  let open = false;
  for (const { instruction, value } of imageInstructions(file, stage)) {
    const place = { file: file.file, line: instruction.line };
    if (instruction.keyword === "EXPOSE") {
      for (const port of instruction.ports.map(value)) {
        const number = /^(\d+)(?:\/tcp)?$/.exec(port)?.[1];
        if (number !== undefined) exposed.push({ ...place, port: Number(number) });
        else open ||= !/^\d+\/udp$/.test(port);
      }
    } else if (instruction.keyword === "HEALTHCHECK") {
      const { command } = instruction;
      const text = command?.form === "exec" ? command.words.join(" ") : (command?.command ?? "");
      const port = /(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\]):(\d+)/.exec(text)?.[1];
      if (port !== undefined) relied.push({ ...place, port: Number(port), by: "HEALTHCHECK" });
    } else if (instruction.keyword === "ENV") {
      const port = instruction.pairs.find(({ name }) => name === "PORT")?.value.replaceAll(/["']/g, "");
      if (port !== undefined && /^\d+$/.test(port)) relied.push({ ...place, port: Number(port), by: "ENV PORT" });
    }
  }
  return { exposed, open, relied };
}

/** With what its bases expose; what they rely on is theirs. */
function withBases(line: readonly OwnPorts[]): OwnPorts {
  return {
    exposed: line.flatMap(({ exposed }) => exposed),
    open: line.some(({ open }) => open),
    relied: line[0]?.relied ?? [],
  };
}

function against(image: AdoptedImage, { exposed, open, relied }: OwnPorts, uses: readonly Use[]): Finding[] {
  if (open) return [];
  const known = new Set(exposed.map(({ port }) => port));
  const list = [...known].toSorted((a, b) => a - b).join(", ");
  const [first] = exposed;
  const where = first === undefined ? "" : ` (${formatPlace(first)})`;
  const wanted = [
    ...relied.map(({ by, ...setting }) => ({ ...setting, by })),
    ...uses.flatMap((use) => use.ports.map((setting) => ({ ...setting, by: SPEAKS[use.by] }))),
  ];
  return wanted
    .filter(({ port }) => !known.has(port))
    .map(({ port, by, file, line }) =>
      finding(image, `${by} relies on port ${port}, and the image exposes ${list}${where}`, { file, line }),
    );
}

const SPEAKS: Readonly<Record<Use["by"], string>> = {
  script: "the script",
  make: "the makefile",
  workflow: "the workflow",
  compose: "compose",
  bake: "bake",
  skaffold: "skaffold",
  helm: "the chart",
  manifest: "the manifest",
};

/** Without an EXPOSE, those who run the image must at least agree with each other. */
function among(image: AdoptedImage, uses: readonly Use[]): Finding[] {
  const withPorts = uses.filter(({ ports }) => ports.length > 0);
  const [first, ...others] = withPorts;
  const settled = first?.ports[0];
  if (!first || !settled) return [];
  const ports = (use: Use) => use.ports.map(({ port }) => port);
  return others
    .filter((use) => use.file !== first.file && !ports(use).some((port) => ports(first).includes(port)))
    .map((use) => {
      const mine = use.ports[0] ?? settled;
      const message = `${SPEAKS[use.by]} relies on port ${mine.port}, ${SPEAKS[first.by]} on ${settled.port} (${formatPlace(settled)})`;
      // Each may start the program with a port of its own.
      return { ...finding(image, message, mine), severity: "info" as const };
    });
}

function finding(image: AdoptedImage, message: string, { file, line }: Place): Finding {
  return {
    rule: "adopt/port-disagrees",
    severity: "warning",
    subject: image.name,
    message,
    fix: "make them one number, and EXPOSE it in the Dockerfile",
    where: { file, line },
  };
}
