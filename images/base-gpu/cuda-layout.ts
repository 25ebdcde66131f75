/**
 * Libraries of a release as nvidia/cuda has them in usr/local/cuda-X.Y/targets/x86_64-linux/lib: under whole versions, with a link of the
 * name that programs ask for. Names alone: for stand-ins of the image.
 */
export const CUDA_LAYOUT: Readonly<Record<string, readonly (readonly [link: string, version: string])[]>> = {
  cu118: [
    ["libcudart.so.11.0", "11.8.89"],
    ["libnvrtc.so.11.2", "11.8.89"],
    ["libnvrtc-builtins.so.11.8", "11.8.89"],
    ["libcublas.so.11", "11.11.3.6"],
    ["libcublasLt.so.11", "11.11.3.6"],
    ["libnvblas.so.11", "11.11.3.6"],
    ["libcufft.so.10", "10.9.0.58"],
    ["libcufftw.so.10", "10.9.0.58"],
    ["libcurand.so.10", "10.3.0.86"],
    ["libnpps.so.11", "11.8.0.86"],
  ],
  cu121: [
    ["libcudart.so.12", "12.1.105"],
    ["libnvrtc.so.12", "12.1.105"],
    ["libnvrtc-builtins.so.12.1", "12.1.105"],
    ["libcublas.so.12", "12.1.3.1"],
    ["libcublasLt.so.12", "12.1.3.1"],
    ["libnvblas.so.12", "12.1.3.1"],
    ["libcufft.so.11", "11.0.2.54"],
    ["libcufftw.so.11", "11.0.2.54"],
    ["libcurand.so.10", "10.3.2.106"],
    ["libnpps.so.12", "12.1.0.40"],
  ],
};
