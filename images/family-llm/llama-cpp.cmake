# How llama.cpp is compiled: CMake reads this at the project's beginning.

# Every x86-64 processor since 2013 (AMD: 2015) has these; what the machine that builds has besides is left out.
set(GGML_NATIVE OFF)
foreach(feature SSE42 AVX AVX2 BMI2 FMA F16C)
  set(GGML_${feature} ON)
endforeach()
# Threads are its own: OpenMP's library is not in the image.
set(GGML_OPENMP OFF)

# What serves text, and no more: neither what reads pictures and sound (mtmd), nor the programs' common parts with their TLS, nor a second copy of each library beside Python's
# packages, nor two more under the names that links would have, which a wheel can't hold.
set(LLAMA_BUILD_COMMON OFF)
set(LLAVA_BUILD OFF)
set(LLAMA_OPENSSL OFF)
set(CMAKE_INSTALL_LIBDIR llama_cpp/lib)
set(CMAKE_INSTALL_BINDIR llama_cpp/lib)
set(CMAKE_INSTALL_INCLUDEDIR llama_cpp/include)
set(CMAKE_PLATFORM_NO_VERSIONED_SONAME ON)
