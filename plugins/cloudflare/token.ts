import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { UserError } from "../../core/error.ts";
import type { Api } from "./api.ts";
import type { ResourceType } from "./resource.ts";

const json = z.string().superRefine((text, context) => {
  if (parseMap(text) === undefined)
    context.addIssue({ code: "custom", message: "expected resources as the JSON of a map" });
});

const inputs = z
  .object({
    accountId: z.string().min(1),
    name: z.string().min(1).max(120),
    policies: z
      .array(
        z
          .object({
            effect: z.enum(["allow", "deny"]),
            permissionGroups: z.array(z.object({ id: z.string().min(1) }).strict()).min(1),
            resources: json,
          })
          .strict(),
      )
      .min(1),
    condition: z
      .object({
        requestIp: z
          .object({ ins: z.array(z.string()).optional(), notIns: z.array(z.string()).optional() })
          .strict()
          .optional(),
      })
      .strict()
      .optional(),
    expiresOn: z.string().optional(),
    notBefore: z.string().optional(),
    status: z.enum(["active", "disabled"]).optional(),
  })
  .strict();
type Inputs = z.infer<typeof inputs>;

/** A token as the API answers it; what else it says is not kept. */
const tokenSchema = z.object({
  id: z.string(),
  name: z.string(),
  status: z.string().optional(),
  issued_on: z.string().nullish(),
  modified_on: z.string().nullish(),
  expires_on: z.string().nullish(),
  not_before: z.string().nullish(),
  condition: z
    .object({
      request_ip: z.object({ in: z.array(z.string()).nullish(), not_in: z.array(z.string()).nullish() }).nullish(),
    })
    .nullish(),
  policies: z
    .array(
      z.object({
        effect: z.string(),
        permission_groups: z.array(z.object({ id: z.string() })),
        resources: z.record(z.string(), z.unknown()),
      }),
    )
    .default([]),
});
type Token = z.infer<typeof tokenSchema>;

/** `cloudflare:index/accountToken:AccountToken`; its value is answered once, when it is made. */
export const tokenType: ResourceType<Inputs> = {
  schema: inputs,
  outputs: ["issuedOn", "modifiedOn", "status", "value"],
  secrets: ["value"],
  replaces: ["accountId"],
  identity: ["accountId"],
  changing: ["modifiedOn", "status"],

  async create(wanted, api) {
    const made = await api.once(
      `make token ${wanted.name}`,
      (client, options) => client.accounts.tokens.create(bodyOf(wanted), options),
      async () => {
        throw new UserError(
          `Cloudflare did not say whether it made token ${wanted.name}, and says a token's value only once`,
          `delete a token of that name in account ${wanted.accountId} if there is one, then run this again`,
        );
      },
    );
    const token = tokenSchema.parse(made);
    const { value } = z.object({ value: z.string().min(1) }).parse(made);
    return { id: token.id, outputs: { ...outputsOf(token), value } };
  },

  async update(id, wanted, api) {
    const updated = await api.repeatable(`change token ${wanted.name}`, (client, options) =>
      client.accounts.tokens.update(id, bodyOf(wanted), options),
    );
    return outputsOf(tokenSchema.parse(updated));
  },

  async read(id, values, api) {
    const accountId = String(values.accountId);
    const found = await findToken(api, accountId, id);
    if (found === undefined) return undefined;
    const { condition } = found;
    const ip = condition?.request_ip ?? {};
    const requestIp = { ins: ip.in ?? undefined, notIns: ip.not_in ?? undefined };
    const known = Array.isArray(values.policies) ? (values.policies as Inputs["policies"]) : [];
    return {
      id,
      inputs: {
        accountId,
        name: found.name,
        policies: found.policies.map((policy, i) => asKnown(policy, known[i])),
        condition: requestIp.ins || requestIp.notIns ? { requestIp } : undefined,
        expiresOn: found.expires_on ?? undefined,
        notBefore: found.not_before ?? undefined,
        status: found.status,
      },
      outputs: { ...outputsOf(found), ...(values.value === undefined ? {} : { value: values.value }) },
    };
  },

  async delete(id, state, api) {
    await api.find(`delete token ${String(state.name)}`, (client, options) =>
      client.accounts.tokens.delete(id, { account_id: String(state.accountId) }, options),
    );
  },

  parseImport(text) {
    const [, accountId, id] = /^([^/]+)\/([^/]+)$/.exec(text) ?? [];
    if (accountId === undefined || id === undefined)
      throw new UserError(`expected the id of a token, found ${JSON.stringify(text)}`, "write ACCOUNT/TOKEN");
    return { id, values: { accountId } };
  },
};

async function findToken(api: Api, accountId: string, id: string): Promise<Token | undefined> {
  const found = await api.find("read a token", (client, options) =>
    client.accounts.tokens.get(id, { account_id: accountId }, options),
  );
  return found === undefined ? undefined : tokenSchema.parse(found);
}

function bodyOf({ accountId, name, policies, condition, expiresOn, notBefore, status }: Inputs) {
  const ip = condition?.requestIp;
  return {
    account_id: accountId,
    name,
    policies: policies.map(({ effect, permissionGroups, resources }) => ({
      effect,
      permission_groups: permissionGroups,
      resources: (parseMap(resources) ?? {}) as Record<string, string>,
    })),
    ...(ip === undefined
      ? {}
      : {
          condition: {
            request_ip: {
              ...(ip.ins === undefined ? {} : { in: ip.ins }),
              ...(ip.notIns === undefined ? {} : { not_in: ip.notIns }),
            },
          },
        }),
    ...(expiresOn === undefined ? {} : { expires_on: expiresOn }),
    ...(notBefore === undefined ? {} : { not_before: notBefore }),
    ...(status === undefined ? {} : { status }),
  };
}

function outputsOf({ issued_on, modified_on, status }: Token) {
  return { issuedOn: issued_on ?? undefined, modifiedOn: modified_on ?? undefined, status };
}

/** A policy that says the same in another order, or in other white space, stays as it was written. */
function asKnown(found: Token["policies"][number], known: Inputs["policies"][number] | undefined) {
  const ids = found.permission_groups.map(({ id }) => id);
  const knownIds = known?.permissionGroups.map(({ id }) => id) ?? [];
  return {
    effect: found.effect,
    permissionGroups: (isDeepStrictEqual(ids.toSorted(), knownIds.toSorted()) ? knownIds : ids).map((id) => ({ id })),
    resources:
      known !== undefined && isDeepStrictEqual(parseMap(known.resources), found.resources)
        ? known.resources
        : JSON.stringify(found.resources),
  };
}

function parseMap(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
