/** How to get into a host, without what is secret in it. */
export interface HostConnection {
  readonly address: string;
  readonly port?: number | undefined;
  readonly user?: string | undefined;
  /** Pinned: a server with another one is refused. */
  readonly hostKey: string;
  readonly agentSocket?: string | undefined;
  /** A server to go through. */
  readonly proxy?: Omit<HostConnection, "proxy"> | undefined;
}
