import type { z } from "zod";
import type { Values } from "../common/values.ts";
import type { Api } from "./api.ts";

/** A resource as Cloudflare has it: its inputs in Pulumi's names, and what it adds to them. */
export interface Found {
  readonly id: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly outputs: Readonly<Record<string, unknown>>;
}

/** One type of the plugin. Its state is its inputs with its outputs, as the official provider's is. */
export interface ResourceType<Inputs = unknown> {
  readonly schema: z.ZodType<Inputs>;
  /** Outputs, which a preview of a creation says are unknown. */
  readonly outputs: readonly string[];
  /** Of these, what is secret. */
  readonly secrets: readonly string[];
  /** Inputs of which a change calls for a new resource. */
  readonly replaces: readonly string[];
  /** Of these, what names it: while none of them changes, the old one must go before the new one comes. */
  readonly identity: readonly string[];
  /** Outputs that an update may change. */
  readonly changing: readonly string[];
  create(
    inputs: Inputs,
    api: Api,
  ): Promise<{ readonly id: string; readonly outputs: Readonly<Record<string, unknown>> }>;
  /** Brings about the new inputs. @returns the outputs that changed with them */
  update(id: string, inputs: Inputs, api: Api): Promise<Readonly<Record<string, unknown>>>;
  /** Undefined where it is gone. `values` are what names it: its state, or what {@link parseImport} made of an id. */
  read(id: string, values: Values, api: Api): Promise<Found | undefined>;
  /** One that is gone already is fine. */
  delete(id: string, state: Values, api: Api): Promise<void>;
  /** What an import's id says: the resource's own id, and what `read` needs. @throws UserError for another form. */
  parseImport(id: string): { readonly id: string; readonly values: Values };
}
