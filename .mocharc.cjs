const { availableParallelism } = require("node:os");

module.exports = {
  spec: ["test/**/*.test.ts", "images/**/*.test.ts", "runtime/**/*.test.ts"],
  ignore: ["test/e2e/**", "**/node_modules/**"],
  parallel: true,
  jobs: availableParallelism(),
  timeout: 10_000,
  forbidOnly: true,
};
