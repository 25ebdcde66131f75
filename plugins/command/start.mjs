import { needTypeScript } from "../common/typescript.mjs";

needTypeScript("command plugin");
await import("./main.ts");
