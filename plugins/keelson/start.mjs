import { needTypeScript } from "../common/typescript.mjs";

needTypeScript("plugin");
await import("./main.ts");
