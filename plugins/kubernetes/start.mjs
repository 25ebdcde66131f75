import { needTypeScript } from "../common/typescript.mjs";

needTypeScript("kubernetes plugin");
await import("./main.ts");
