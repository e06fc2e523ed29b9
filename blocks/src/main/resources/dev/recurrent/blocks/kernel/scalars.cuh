// What every source begins with: element types and their way to fp32 and back, since NVRTC has no
// CUDA header at hand.

struct bfloat16 {
    unsigned short bits;
};

__device__ __forceinline__ float widen(float value) { return value; }

__device__ __forceinline__ float widen(bfloat16 value) {
    return __uint_as_float((unsigned int)value.bits << 16);
}

template <typename T>
__device__ __forceinline__ T narrow(float value);

template <>
__device__ __forceinline__ float narrow<float>(float value) {
    return value;
}

// To the nearest, ties to even, as PyTorch rounds; a NaN stays one.
template <>
__device__ __forceinline__ bfloat16 narrow<bfloat16>(float value) {
    const unsigned int bits = __float_as_uint(value);
    const unsigned int rounded = bits + 0x7fff + ((bits >> 16) & 1);
    return {(unsigned short)(value != value ? 0x7fc0 : rounded >> 16)};
}

// A kernel that Kernel.launchEarly starts runs beside the end of the one before it: nothing that
// kernels before may still write or read is touched until awaitPrevious, and what is read after it
// must not go through the cache for constants (no const __restrict__). Each of them waits, so that
// what is finished for one is finished for all after it.
__device__ __forceinline__ void letNextBegin() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

__device__ __forceinline__ void awaitPrevious() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
