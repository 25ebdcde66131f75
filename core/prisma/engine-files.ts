/** Names that Prisma gives a target's engine: the library for Node, or the program of `engineType = "binary"`. */
export function engineFiles(target: string): string[] {
  if (target === "windows") return ["query_engine-windows.dll.node", "query-engine-windows.exe"];
  const end = target.startsWith("darwin") ? "dylib" : "so";
  return [`libquery_engine-${target}.${end}.node`, `query-engine-${target}`];
}
