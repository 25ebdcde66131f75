import { startGateway } from "./src/serve/gateway.ts";

const [command = "help", ...rest] = process.argv.slice(2);

async function main(): Promise<void> {
  if (command === "serve") {
    // The gateway first: everything else of the loader is read while the gateway starts.
    const words = rest[0] === "--" ? rest.slice(1) : rest;
    const gateway = words.length === 0 ? undefined : startGateway(words, process.env);
    const { serve } = await import("./src/serve/main.ts");
    return serve(gateway);
  }
  const { commandLine } = await import("./src/cli/main.ts");
  process.exitCode = await commandLine(command, rest);
}

void main();
