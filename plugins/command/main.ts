import { readFile } from "node:fs/promises";
import { EngineLog } from "../common/enginelog.ts";
import { display, engineAddress, serve } from "../common/serve.ts";
import { CommandProvider } from "./provider.ts";

/** `main.ts [flags] ENGINE`: serves the command provider until the engine says goodbye. */
const provider = new CommandProvider({
  log: new EngineLog(engineAddress(), display()),
  schema: () => readFile(new URL("schema.json", import.meta.url), "utf8"),
  environment: process.env,
  directory: process.cwd(),
});

serve(provider.implementation(), provider.calls);
