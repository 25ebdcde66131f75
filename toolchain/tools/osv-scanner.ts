import { goSource } from "../sources/go.ts";
import type { ToolDefinition } from "../tool.ts";

const VERSION = "2.4.0";

export const osvScanner: ToolDefinition = {
  name: "osv-scanner",
  lab: true,
  purpose: "looks packages up in vulnerability databases, for `keelson scan`",
  version: VERSION,
  // 2.5 looks for its database elsewhere, and passes over the variable that says where.
  range: ">=2.2.0 <2.5.0",
  versionArguments: ["--version"],
  sources: [
    goSource({
      version: VERSION,
      module: "osv-scanner",
      package: "github.com/google/osv-scanner/v2/cmd/osv-scanner",
      file: "osv-scanner",
      minutes: 3,
      bytes: 2e9,
    }),
  ],
};
