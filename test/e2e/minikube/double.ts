import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { projectRoot } from "../../../toolchain/home.ts";
import type { LabHost } from "../../../toolchain/lab/host.ts";

/**
 * Stands for minikube v1.37.0, which wants a Docker daemon: answers as test/toolchain/minikube.test.ts has them, a node that is what
 * was loaded, and a log of what it was asked. Archives go where minikube puts them, into one folder of the node that all loads share,
 * under the names that their files have, and are read there a moment later: loads at once of files with one name overwrite each other.
 */
const MINIKUBE = `#!/usr/bin/env bash
set -euo pipefail
cd "$(dirname "$0")/../node"
echo "$*" >>asked
on_node() { if [ -x runtime ]; then ./runtime "$@"; else cat >/dev/null; fi; }
name="\${@: -1}"
case "$1 \${2:-}" in
  "status "*)
    [ -e started ] || { echo '* Profile "minikube" not found. Run "minikube profile list" to view all profiles.'; exit 85; }
    echo '{"Name":"minikube","Host":"Running","Kubelet":"Running","APIServer":"Running","Kubeconfig":"Configured","Worker":false}' ;;
  "start "*)
    touch started
    if [ -e kubeconfig ]; then cp kubeconfig "$KUBECONFIG"; fi ;;
  "image ls") printf '[%s]' "$(cat images/* 2>/dev/null | paste -sd,)" ;;
  "image load")
    copy="var/lib/minikube/images/\${name##*/}"
    cp "$name" "$copy"
    sleep 1
    tar --extract --to-stdout --file "$copy" manifest.json | node -e '
      const { readFileSync, writeFileSync } = require("node:fs");
      const [{ Config, RepoTags }] = JSON.parse(readFileSync(0, "utf8"));
      const id = "sha256:" + /[0-9a-f]{64}/.exec(Config)[0];
      for (const tag of RepoTags.map((t) => (t.includes("/") ? t : "docker.io/library/" + t)))
        writeFileSync("images/" + encodeURIComponent(tag), JSON.stringify({ id, repoDigests: [], repoTags: [tag], size: "1" }) + "\\n");
    '
    on_node import <"$copy" ;;
  "image rm")
    rm "images/$(node -p 'encodeURIComponent(process.argv[1])' "$name")" || exit 80
    on_node remove "$name" </dev/null ;;
  "kubectl "*) if [ -x runtime ]; then ./runtime pods; else echo '{ "items": [] }'; fi ;;
  *) echo "unknown: $*" >&2; exit 14 ;;
esac
`;

/** A machine with the double on its PATH. */
export interface Minikube {
  /** For programs that shall find it. */
  readonly environment: Readonly<Record<string, string>>;
  /** What it was asked with this verb, line by line. */
  readonly asked: (verb: string) => string[];
  /** Whole names of the images of its node. */
  readonly images: () => string[];
}

/** Installs it into a folder, with nothing started. */
export function installMinikube(folder: string): Minikube {
  for (const name of ["bin", "node/images", "node/var/lib/minikube/images"])
    mkdirSync(join(folder, name), { recursive: true });
  executable(join(folder, "bin/minikube"), MINIKUBE);
  const read = (name: string) => {
    const file = join(folder, "node", name);
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  };
  return {
    environment: {
      PATH: `${join(folder, "bin")}${delimiter}${process.env.PATH}`,
      KUBECONFIG: join(folder, "kubeconfig"),
    },
    asked: (verb) =>
      read("asked")
        .split("\n")
        .filter((line) => line.startsWith(verb)),
    images: () => readdirSync(join(folder, "node/images")).map(decodeURIComponent).toSorted(),
  };
}

/**
 * Gives it a real node: the lab's, whose containerd takes and gives up images as that of a Minikube's node does, and whose pods run on them.
 * @param kubeconfig of the lab's cluster; the context gets the profile's name
 */
export function giveNode(folder: string, kubeconfig: string, { address, keyFile, knownHosts }: LabHost): void {
  const node = join(folder, "node");
  writeFileSync(join(node, "kubeconfig"), readFileSync(kubeconfig, "utf8").replaceAll("keelson-lab", "minikube"));
  const options = ["BatchMode=yes", `UserKnownHostsFile="${knownHosts}"`, "StrictHostKeyChecking=yes"];
  const ssh = ["ssh", ...options.flatMap((option) => ["-o", option]), "-i", keyFile, `root@${address}`];
  const client = join(projectRoot(), "node_modules/@kubernetes/client-node/dist/index.js");
  executable(
    join(node, "runtime"),
    `#!/usr/bin/env bash
set -euo pipefail
node() { ${ssh.map((word) => `'${word}'`).join(" ")} "$@"; }
case "$1" in
  import) node ctr --namespace=k8s.io images import - >&2 ;;
  remove) node ctr --namespace=k8s.io images rm "$2" >&2 ;;
  pods)
    command node --input-type=module -e '
      import { CoreV1Api, KubeConfig } from "${client}";
      const config = new KubeConfig();
      config.loadFromFile("kubeconfig");
      console.log(JSON.stringify(await config.makeApiClient(CoreV1Api).listPodForAllNamespaces()));
    ' ;;
esac
`,
  );
}

function executable(file: string, text: string): void {
  writeFileSync(file, text);
  chmodSync(file, 0o755);
}
