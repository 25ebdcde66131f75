import { parseDuration } from "../duration.ts";
import { proxyConfig, unitName } from "./names.ts";
import { errorLines, maintenanceLine } from "./pages.ts";
import { CALLS, FILES, KERNEL } from "./sandbox.ts";
import { DRAIN, type HostPort, type HostService, isHttp } from "./service.ts";

/**
 * HAProxy's settings for one service: the port that stays while containers come and go. Which of the two servers gets
 * requests is decided on the host (`@STATE_A@` and `@STATE_B@`, empty or `disabled`), and changed by its socket without a
 * restart: kept connections of clients stay open.
 */
export function renderProxy(app: string, service: HostService & { readonly port: HostPort }): string {
  const { container, publish, address = "*", protocol = "http" } = service.port;
  const { health } = service;
  const check = `check inter 2s fastinter 500ms downinter 500ms fall 3 rise 1${health === undefined ? "" : ` port ${health.port}`}`;
  const http = isHttp(service);
  return `${[
    "global",
    "  maxconn 4096",
    "  log stdout format raw local0 notice",
    `  stats socket /run/${unitName(app, service.name, "proxy")}/socket mode 600 level admin`,
    // For the watchdog of the service's unit, which may look and no more.
    `  stats socket /run/${unitName(app, service.name, "proxy")}/health mode 666 level user`,
    `  hard-stop-after ${Math.ceil(parseDuration(service.drain ?? DRAIN))}s`,
    "",
    "defaults",
    `  mode ${protocol}`,
    "  log global",
    "  timeout connect 5s",
    "  timeout client 1h",
    "  timeout server 1h",
    ...(http ? ["  timeout http-request 30s", "  timeout http-keep-alive 75s", "  option forwardfor"] : []),
    // A worker whose time is over answers once more on each connection that a client keeps, and says that it closes.
    ...(http ? ["  option idle-close-on-response"] : []),
    "  option dontlognull",
    "  retries 3",
    "  option redispatch 1",
    ...(http ? ["  retry-on conn-failure empty-response", ...errorLines(app, service)] : []),
    "",
    "frontend in",
    `  bind ${address}:${publish}`,
    ...(http ? [maintenanceLine(app, service)] : []),
    "  default_backend out",
    "",
    "backend out",
    ...(http
      ? [
          "  # What may have had an effect is not sent twice.",
          "  http-request disable-l7-retry unless METH_GET or { method HEAD OPTIONS }",
        ]
      : []),
    ...(http && health?.path !== undefined
      ? ["  option httpchk", `  http-check send meth GET uri ${health.path}`]
      : []),
    `  server a @ADDRESS_A@:${container} ${check} @STATE_A@`,
    `  server b @ADDRESS_B@:${container} ${check} @STATE_B@`,
  ].join("\n")}\n`;
}

/** The unit of a service's proxy. */
export function renderProxyUnit(app: string, service: HostService & { readonly port: HostPort }): string {
  const config = proxyConfig(app, service.name);
  return `${[
    "# Written by keelson: changes are undone at the next `pulumi up`, and shown by `keelson status`.",
    "[Unit]",
    `Description=port ${service.port.publish} for ${service.name} of ${app} (keelson)`,
    "Wants=network-online.target",
    "After=network-online.target",
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    "Type=notify",
    `ExecStart=/usr/sbin/haproxy -Ws -f ${config}`,
    `ExecReload=/usr/sbin/haproxy -Ws -f ${config} -c -q`,
    "ExecReload=/bin/kill -USR2 $MAINPID",
    "KillMode=mixed",
    "Restart=always",
    "RestartSec=1",
    "DynamicUser=yes",
    `RuntimeDirectory=${unitName(app, service.name, "proxy")}`,
    "RuntimeDirectoryMode=0711",
    service.port.publish < 1024 ? "AmbientCapabilities=CAP_NET_BIND_SERVICE" : "AmbientCapabilities=",
    service.port.publish < 1024 ? "CapabilityBoundingSet=CAP_NET_BIND_SERVICE" : "CapabilityBoundingSet=",
    ...PROXY_SANDBOX,
    "",
    "[Install]",
    "WantedBy=multi-user.target",
  ].join("\n")}\n`;
}

const PROXY_SANDBOX = [
  ...FILES,
  "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
  ...KERNEL,
  "ProcSubset=pid",
  ...CALLS,
];
