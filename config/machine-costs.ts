import { machineCosts } from "../core/cuda.ts";
import type { MachinePlan } from "../core/machine-plan.ts";
import type { Plan } from "../core/plan.ts";
import { parseSize } from "../core/size.ts";
import { cudaRecord } from "./cuda-record.ts";

/** The plan with what one image for several machines costs, and one for each: from records of what was built, else estimated. */
export function withCosts(root: string, plan: Plan, { profile }: MachinePlan): Plan {
  const { machine } = plan;
  const card = profile.gpu?.capability;
  if (machine?.cuda === undefined || card === undefined) return plan;
  const images = plan.images
    .filter((image) => image.cuda !== undefined || image.args?.MACHINE_PROFILE !== undefined)
    .map((image) => {
      const { name, args, budget } = image;
      const archs = image.cuda?.archs;
      const baked = args?.MACHINE_PROFILE;
      return {
        image: name,
        budget: budget.compressed === undefined ? undefined : parseSize(budget.compressed),
        profile: baked === undefined ? undefined : Buffer.byteLength(baked),
        archs,
        built: archs === undefined ? undefined : cudaRecord(root, image),
      };
    });
  return { ...plan, machine: { ...machine, cuda: { ...machine.cuda, costs: machineCosts(images, card) } } };
}
