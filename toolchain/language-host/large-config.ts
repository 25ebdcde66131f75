// Loaded before the SDK's runner where the config is too large for an environment: the SDK reads it from there all the same.
import { readFileSync } from "node:fs";

process.env.PULUMI_CONFIG = readFileSync(3, "utf8");
