import { EngineLog } from "../common/enginelog.ts";
import { display, engineAddress, serve } from "../common/serve.ts";
import { KubernetesProvider } from "./provider.ts";

/** `main.ts [flags] ENGINE`: serves keelson's part of the kubernetes provider until the engine says goodbye. */
const provider = new KubernetesProvider({
  log: new EngineLog(engineAddress(), display()),
  environment: process.env,
  directory: process.cwd(),
});

serve(provider.implementation(), provider.calls);
