import { z } from "zod";

/** A secret as it stands in a stack's file; its value is asked of Pulumi by the component that needs it. */
const secret = z.object({ secure: z.string() }, { error: "expected a secret" }).strict();

/** `keelson:wheelhouse`: where wheels come from in place of pip's index. */
export const wheelhouseSchema = z
  .object({
    index: z
      .url({ protocol: /^https?$/, error: "the address of an index, such as https://wheels.example.org/simple/" })
      .refine(hasNoLogin, "an address without a login: write username, and password as a secret")
      .optional(),
    username: z.string().min(1).optional(),
    password: secret.optional(),
    /** Of `keelson:volumes`. */
    volume: z.string().min(1).optional(),
  })
  .strict()
  .refine(({ index, volume }) => (index === undefined) !== (volume === undefined), "either index or volume")
  .refine(
    ({ volume, username, password }) => volume === undefined || (username ?? password) === undefined,
    "a login of an index alone",
  )
  .refine(
    ({ index, username, password }) => index === undefined || (username === undefined) === (password === undefined),
    "username and password together, or neither",
  )
  .refine(({ index = "", password }) => password === undefined || isPrivate(index), {
    error: "an address with https: a password would be sent in clear",
    path: ["index"],
  });

/** Its keys, for hints. */
export const WHEELHOUSE_KEYS: readonly string[] = Object.keys(wheelhouseSchema.shape);

export type WheelhouseConfig = z.infer<typeof wheelhouseSchema>;

function hasNoLogin(address: string): boolean {
  const url = URL.parse(address);
  return url === null || (url.username === "" && url.password === ""); // what is no address is told as that
}

/** Whether nobody on the way can read what is sent there. */
function isPrivate(address: string): boolean {
  const url = URL.parse(address);
  return url?.protocol === "https:" || ["127.0.0.1", "localhost", "[::1]"].includes(url?.hostname ?? "");
}
