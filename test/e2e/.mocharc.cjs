const { readdirSync } = require("node:fs");
const { availableParallelism } = require("node:os");

/** The suites that take minutes, longest first: begun last, each would be waited for alone. */
const LONG = [
  "up-faults",
  "kubernetes-app",
  "host",
  "stack-lab",
  "up",
  "weft",
  "worker",
  "reproduce",
  "fleet",
  "services",
  "tool-loader",
];

const suites = readdirSync(__dirname, { recursive: true }).filter((file) => file.endsWith(".test.ts"));
const rank = (file) => LONG.indexOf(file.slice(0, -".test.ts".length)) + 1 || LONG.length + 1;

module.exports = {
  require: [`${__dirname}/setup.ts`],
  spec: suites.toSorted((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1)).map((file) => `${__dirname}/${file}`),
  // Each suite has services of its own or takes the shared ones as they are. One more than there are cores: they often wait.
  parallel: true,
  jobs: availableParallelism() + 1,
  // On a fresh machine the suites that begin first wait for images that are built from nothing, all at once.
  timeout: "60m",
  slow: 5_000,
  forbidOnly: true,
};
