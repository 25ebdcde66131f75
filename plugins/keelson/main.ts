import { readFile } from "node:fs/promises";
import { display, engineAddress, serve } from "../common/serve.ts";
import type { Ahead } from "./image/ahead.ts";
import { Provider } from "./provider.ts";
import type { Values } from "./resource.ts";
import type { R2Toolbox, Toolbox } from "./toolbox.ts";

/** `main.ts [flags] ENGINE`: serves until the engine says goodbye, in any of the ways in which it can. */
const VERSION = "0.1.0";

const root = process.cwd();
let toolbox: Promise<Toolbox & R2Toolbox> | undefined;
/** The toolchain is loaded when a resource first needs it: most runs find nothing to do before that. */
function toolboxOf(): Promise<Toolbox & R2Toolbox> {
  toolbox ??= import("./machine.ts").then(({ machine }) => machine(root));
  return toolbox;
}

let ahead: Promise<Ahead> | undefined;
function aheadOf(): Promise<Ahead> {
  ahead ??= import("./image/ahead.ts").then(({ Ahead }) => new Ahead());
  return ahead;
}

/** Connects to the embedded registry, where it runs, and asks it for the images that a program announces. */
async function look(values: Values): Promise<void> {
  const registry = toolboxOf().then((tools) => tools.lookAtRegistry({ host: "embedded" }));
  // Who needs it asks again, and is told why it can't be had.
  registry.catch(() => undefined);
  const { announcement } = await import("./image/ahead.ts");
  const { data } = announcement.safeParse(values);
  if (data !== undefined) (await aheadOf()).look(registry, data.images);
}

const provider = new Provider({
  version: VERSION,
  engine: engineAddress(),
  display: display(),
  root,
  types: {
    "keelson:index:Image": async () => {
      const [{ ImageType }, tools, asked] = await Promise.all([import("./image/image.ts"), toolboxOf(), aheadOf()]);
      return new ImageType(tools, undefined, asked);
    },
    "keelson:index:BuildContext": async () => {
      const [{ BuildContextType }, tools] = await Promise.all([import("./context/context.ts"), toolboxOf()]);
      return new BuildContextType(tools);
    },
    "keelson:index:Bucket": async () => {
      const [{ BucketType }, tools] = await Promise.all([import("./bucket/bucket.ts"), toolboxOf()]);
      return new BucketType(tools);
    },
    "keelson:index:WorkerClass": async () => new (await import("./container/worker-class.ts")).WorkerClassType(),
    "keelson:index:ContainerApplication": async () => {
      const [{ ContainerApplicationType }, tools] = await Promise.all([
        import("./container/application.ts"),
        toolboxOf(),
      ]);
      return new ContainerApplicationType(tools);
    },
  },
  // The engine does nothing else until it has greeted; most programs use an image next.
  greeted: () => {
    void import("./image/image.ts");
    void toolboxOf();
  },
  ready: (values) => void look(values),
  schema: () => readFile(new URL("schema.json", import.meta.url), "utf8"),
});

serve(provider.implementation(), provider.calls);
