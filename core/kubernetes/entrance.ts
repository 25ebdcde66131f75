/** A way to an application from outside of the cluster, through the namespace that its controller runs in. */
export interface AppIngress {
  readonly host: string;
  readonly className?: string;
  readonly tlsSecret?: string;
  readonly controllerNamespace: string;
}

/** A way to an application from outside of the cluster, through a Gateway that is there. */
export interface AppRoute {
  readonly host: string;
  readonly gateway: string;
  readonly gatewayNamespace: string;
  /** Name of the Gateway's listener. */
  readonly section?: string;
}
