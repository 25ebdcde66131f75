/**
 * A path as a shell has it: `~` at its beginning is the user's own folder.
 * @example expandHome("~/.kube/prod", "/home/ada") // "/home/ada/.kube/prod"
 */
export function expandHome(path: string, home: string): string {
  return path.replace(/^~(?=\/|$)/, () => home);
}
