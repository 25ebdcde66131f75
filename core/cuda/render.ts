import { archName, type CudaArch } from "./arch.ts";
import { smNumber } from "./capability.ts";

/**
 * As torch's builds read it from TORCH_CUDA_ARCH_LIST; also the normal form that keelson shows.
 * Torch knows no PTX without machine code: such an entry gets both.
 * @example torchArchList(archs) // "8.6;8.9+PTX"
 */
export function torchArchList(archs: readonly CudaArch[]): string {
  return archs.map((arch) => `${archName(arch)}${arch.ptx ? "+PTX" : ""}`).join(";");
}

/**
 * As vllm's builds take it, the build argument `torch_cuda_arch_list`: torch's entries, separated by spaces.
 * @example vllmArchList(archs) // "8.6 8.9+PTX"
 */
export function vllmArchList(archs: readonly CudaArch[]): string {
  return torchArchList(archs).replaceAll(";", " ");
}

/**
 * As CMake reads it from CMAKE_CUDA_ARCHITECTURES (llama-cpp-python's builds): `-real` is machine code, `-virtual` PTX, a bare
 * number both.
 * @example cmakeArchitectures(archs) // "86-real;89"
 */
export function cmakeArchitectures(archs: readonly CudaArch[]): string {
  return archs
    .map((arch) => `${number(arch)}${arch.sass && arch.ptx ? "" : arch.sass ? "-real" : "-virtual"}`)
    .join(";");
}

/**
 * As nvcc's arguments, one per architecture, for a process's argument list (not for a shell).
 * @example gencodeArguments(archs) // ["-gencode=arch=compute_86,code=sm_86", "-gencode=arch=compute_89,code=[sm_89,compute_89]"]
 */
export function gencodeArguments(archs: readonly CudaArch[]): string[] {
  return archs.map((arch) => {
    const [sass, ptx] = [`sm_${number(arch)}`, `compute_${number(arch)}`];
    return `-gencode=arch=${ptx},code=${arch.sass && arch.ptx ? `[${sass},${ptx}]` : arch.sass ? sass : ptx}`;
  });
}

function number(arch: CudaArch): string {
  return `${smNumber(arch.capability)}${arch.variant}`;
}
