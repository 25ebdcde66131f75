import { UserError } from "../error.ts";

/** The begin of a message about one object. @example "can't create Deployment shop/web" */
const DEED = /^can't [^:]+(?=: )/;
/** How the API server says that a user may not. */
const LACKING = /^(.*) is forbidden: User "([^"]*)" cannot (\w+) resource "([^"]+)"(?: in API group "([^"]*)")?(.*)$/s;
const QUOTA = /^(the quota of namespace \S+ has no room for it: [^,]+), .*$/s;

/**
 * Tells of a cause in full when it is first met, and of all other objects that it hits that they have the same: a cluster
 * that is away hits each of a hundred.
 * @example causes.told(new UserError("can't create Deployment shop/web: …", fix), "Deployment shop/web")
 */
export class Causes {
  private readonly first = new Map<string, string>();

  /** @param subject whom it hit. */
  told(error: UserError, subject: string): UserError {
    const cause = causeOf(error.message);
    const first = this.first.get(cause);
    if (first === undefined || first === subject) {
      this.first.set(cause, subject);
      return error;
    }
    const [deed = `can't go on with ${subject}`] = DEED.exec(error.message) ?? [];
    return new UserError(`${deed}: ${whatElse(error.message)}`, `as for ${first}, where it is told in full`);
  }
}

/** What messages about several objects have in common where they come of one cause. */
export function causeOf(message: string): string {
  const cause = message.replace(DEED, "").replace(/^: /, "");
  const [, , user, , , , where = ""] = LACKING.exec(cause) ?? [];
  if (user !== undefined) return `${user} may not${where}`;
  return QUOTA.exec(cause)?.[1] ?? cause;
}

/** Of rights each one that lacks is worth to be known. */
function whatElse(message: string): string {
  const [, , user, verb, plural = "", group = ""] = LACKING.exec(message.replace(DEED, "").replace(/^: /, "")) ?? [];
  if (user === undefined) return "the same cause";
  return `${user} may not ${verb} ${plural}${group === "" ? "" : `.${group}`} either`;
}
