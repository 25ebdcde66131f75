import type { Allowance } from "../../core/image.ts";

/** In CMake's wheel, which vllm and triton 2.0 want installed. */
export const CMAKE_TEMPLATE_KEY: Allowance = {
  rule: "secret/file",
  path: "/usr/local/lib/python3.11/dist-packages/cmake/data/share/cmake-*/Templates/Windows/Windows_TemporaryKey.pfx",
  reason: "what CMake signs new Windows projects with until they have a key",
};
