import { needTypeScript } from "../common/typescript.mjs";

needTypeScript("cloudflare plugin");
await import("./main.ts");
