/** What another stack's machine must run before this one's services change. */
export interface EarlierWaves {
  readonly stack: string;
  /** The fleet's waves before this machine's first. */
  readonly waves: readonly string[];
}

/** A service as its stack's outputs tell it. */
export interface RecordedService {
  readonly name: string;
  readonly wave: string;
  /** Address that answers 200 while it serves; absent where no host runs it, or containers alone reach it. */
  readonly health?: string | undefined;
  readonly optional?: boolean | undefined;
}

/** Of another stack's services, the ones that must be healthy before this stack's waves: those that have an address to ask. */
export function servicesToAsk(
  { waves }: EarlierWaves,
  services: readonly RecordedService[],
): readonly (RecordedService & { readonly health: string })[] {
  return services.filter(
    (service): service is RecordedService & { readonly health: string } =>
      waves.includes(service.wave) && service.optional !== true && service.health !== undefined,
  );
}

/**
 * Why this stack's waves must wait, in one message; undefined where they need not.
 * @param services of the other stack's outputs; undefined where it has no state
 * @param silent names of the asked ones that are not healthy, each with why
 */
export function whyWait(
  { stack, waves }: EarlierWaves,
  services: readonly RecordedService[] | undefined,
  silent: ReadonlyMap<string, string>,
): string | undefined {
  const named = waves.join(", ");
  if (waves.length === 0) return undefined;
  if (services === undefined) return `stack ${stack}, whose ${named} come first, was never brought up`;
  const asked = servicesToAsk({ stack, waves }, services);
  if (asked.length === 0) return `stack ${stack} runs no service of ${named} on a host`;
  if (silent.size === 0) return undefined;
  const lines = asked.flatMap(({ name, wave, health }) => {
    const why = silent.get(name);
    return why === undefined ? [] : [`\n  ${name} (${wave}, ${health}): ${why}`];
  });
  return `${silent.size} of ${asked.length} services of ${stack} that come first (${named}) are not healthy:${lines.join("")}`;
}
