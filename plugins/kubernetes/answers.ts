import provider from "@pulumi/pulumi/proto/provider_pb.js";
import { propertyDiff, topOf } from "../common/answers.ts";
import type { Difference } from "./diff.ts";

/** Differences as the engine takes them. */
export function diffResponse(found: readonly Difference[]): provider.DiffResponse {
  const response = new provider.DiffResponse();
  const { DiffChanges } = provider.DiffResponse;
  response.setChanges(found.length === 0 ? DiffChanges.DIFF_NONE : DiffChanges.DIFF_SOME);
  response.setHasdetaileddiff(true);
  for (const { path, kind, replaces } of found) {
    response.getDetaileddiffMap().set(path, propertyDiff(kind, replaces));
    if (replaces) response.addReplaces(path);
  }
  response.setDiffsList([...new Set(found.map(({ path }) => topOf(path)))]);
  return response;
}
