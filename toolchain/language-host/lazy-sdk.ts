// Loaded before the SDK's runner for keelson's own program: what of the SDK this program doesn't use is loaded where it is used
// after all. That is a quarter of a second, a third of what a program that holds nothing takes to start.
import Module, { createRequire } from "node:module";

/** As the SDK's runner resolves and loads. */
const require = createRequire(process.argv[1] ?? import.meta.url);

/** A module whose exports are loaded when one of them is first asked for, but for those that stand in. */
function later(request: string, standing: Readonly<Record<string, unknown>> = {}): void {
  const path = resolve(request);
  if (path === undefined) return;
  let loaded: Record<PropertyKey, unknown> | undefined;
  const exports = new Proxy(standing, {
    get(_, name) {
      // Code that was compiled from ES modules takes such exports as they are, without asking for each of them.
      if (name === "__esModule") return true;
      if (Object.hasOwn(standing, name)) return standing[name as string];
      if (loaded === undefined) {
        delete require.cache[path];
        loaded = require(path) as Record<PropertyKey, unknown>;
      }
      // What such code expects of a module that was not compiled so.
      return name === "default" && !loaded.__esModule ? loaded : loaded[name];
    },
  });
  require.cache[path] = Object.assign(new Module(path), { exports, loaded: true });
}

/** Another version of the SDK may have no such module. */
function resolve(request: string): string | undefined {
  try {
    return require.resolve(request);
  } catch {
    return undefined;
  }
}

// Functions as text, for dynamic providers and magic lambdas.
later("typescript");
later("@npmcli/arborist");
later("normalize-package-data");
// A debugger's session, which finds what a function has captured, slows down all else.
later("../../runtime/closure/v8Hooks.js", { isInitializedAsync: async () => undefined });
// Programs that drive Pulumi.
later("../../automation/index.js");
// Stack traces are right as they are: node strips types in place.
later("source-map-support/register");
// Exporters of traces: this language host asks for none. Spans are those of whoever has set OpenTelemetry up, or nobody's.
later("./tracing.js", {
  newSpan: (name: string) => require("@opentelemetry/api").trace.getTracer("nodejs-runtime").startSpan(name),
});
