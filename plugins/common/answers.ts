import plugin from "@pulumi/pulumi/proto/plugin_pb.js";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import type { DiffKind } from "./diff.ts";
import type { CheckFailure } from "./validate.ts";

/** Says that values marked as secrets may be sent. */
export function handshake(): provider.ProviderHandshakeResponse {
  const response = new provider.ProviderHandshakeResponse();
  response.setAcceptSecrets(true);
  return response;
}

export function pluginInfo(version: string): plugin.PluginInfo {
  const info = new plugin.PluginInfo();
  info.setVersion(version);
  return info;
}

/** Takes inputs as they are: of a provider's own config. */
export function unchanged(request: provider.CheckRequest): provider.CheckResponse {
  const response = new provider.CheckResponse();
  response.setInputs(request.getNews());
  return response;
}

/** Wants secrets, and previews of creates and updates. */
export function configured(): provider.ConfigureResponse {
  const response = new provider.ConfigureResponse();
  response.setAcceptsecrets(true);
  response.setSupportspreview(true);
  return response;
}

export function checkFailure({ property, reason }: CheckFailure): provider.CheckFailure {
  const message = new provider.CheckFailure();
  message.setProperty(property);
  message.setReason(reason);
  return message;
}

/** The input that a path lies in. @example topOf("rules[0].id") // "rules" */
export function topOf(path: string): string {
  return path.split(/[.[]/)[0] ?? path;
}

/** What became of one property, and whether the resource is replaced for it. */
export function propertyDiff(kind: DiffKind, replaces: boolean): provider.PropertyDiff {
  const { Kind } = provider.PropertyDiff;
  const detail = new provider.PropertyDiff();
  detail.setKind(
    {
      add: replaces ? Kind.ADD_REPLACE : Kind.ADD,
      delete: replaces ? Kind.DELETE_REPLACE : Kind.DELETE,
      update: replaces ? Kind.UPDATE_REPLACE : Kind.UPDATE,
    }[kind],
  );
  return detail;
}
