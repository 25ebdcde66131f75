import { serve } from "../common/serve.ts";
import { CloudflareProvider } from "./provider.ts";

/** `main.ts [flags] ENGINE`: serves keelson's part of the cloudflare provider until the engine says goodbye. */
const provider = new CloudflareProvider();

serve(provider.implementation(), provider.calls);
