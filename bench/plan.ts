import { median } from "../core/median.ts";
import { type CatalogueImage, makePlan } from "../core/plan.ts";
import { type Bench, type Figure, seconds } from "./measure.ts";

/** Time of a plan for 10, 100 and 1,000 images of ten files each; linear means that the time per image stays. */
export const planBench: Bench = {
  name: "plan",
  title: "plan for 10, 100 and 1,000 images",
  async run() {
    const figures: Figure[] = [];
    const perImage: number[] = [];
    for (const count of [10, 100, 1000]) {
      const catalogue = Array.from({ length: count }, (_, i) => image(i));
      const plan = () =>
        makePlan({
          stack: "bench",
          registry: "embedded",
          prefix: "",
          images: catalogue.map((c) => c.definition.name),
          catalogue,
          bases: {
            bases: [{ name: "debian:bookworm-slim", platforms: ["linux/amd64"], digest: `sha256:${"0".repeat(64)}` }],
          },
          nodes: [{ name: "local", native: ["linux/amd64"], emulated: [] }],
        });
      for (let i = 0; i < 5; i++) plan(); // the compiler's warm-up
      const times: number[] = [];
      for (let i = 0; i < 9; i++) times.push(await seconds(plan));
      perImage.push(median(times) / count);
      figures.push({ name: `plan of ${count} images`, value: median(times), unit: "s" });
    }
    const [, hundred = 1, thousand = 0] = perImage;
    return [
      ...figures,
      { name: "time per image, 1,000 against 100", value: thousand / hundred, unit: "x", atMost: 1.5 },
    ];
  },
};

/** Every fourth image starts a lineage of its own; the others stand on the one before. */
function image(i: number): CatalogueImage {
  return {
    definition: {
      name: `image-${i}`,
      family: "bench",
      description: "for a bench",
      version: "1.0.0",
      base: i % 4 === 0 ? "debian:bookworm-slim" : `image-${i - 1}`,
      platforms: ["linux/amd64"],
      budget: {},
      user: "10001:10001",
    },
    folder: `images/image-${i}`,
    dockerfile: `ARG BASE_IMAGE\nFROM \${BASE_IMAGE}\nRUN echo ${i}\n`,
    context: Array.from({ length: 10 }, (_, n) => ({
      kind: "file" as const,
      path: `f${n}`,
      executable: false,
      size: n,
      sha256: String(n).repeat(64),
    })),
    contexts: {},
  };
}
