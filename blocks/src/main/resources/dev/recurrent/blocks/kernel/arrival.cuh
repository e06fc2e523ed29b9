// Blocks that make one result together: what each leaves in memory, the last of them reads. Which
// one that is changes from launch to launch, so what it computes must not depend on it.

// Whether all others of so many blocks have been here, to be asked once by all threads of a block.
// `arrived` is 0 before the first of them and after the last. What others wrote before is then to
// be read by `latest`.
__device__ __forceinline__ bool arrivesLast(unsigned int* arrived, unsigned int blocks) {
    __shared__ int last;
    __syncthreads();
    if (threadIdx.x == 0 && threadIdx.y == 0) {
        // Releases what the block's threads wrote, acquires what others did; the last leaves 0.
        unsigned int before;
        asm volatile("atom.acq_rel.gpu.global.inc.u32 %0,[%1],%2;"
                     : "=r"(before)
                     : "l"(arrived), "r"(blocks - 1)
                     : "memory");
        last = before == blocks - 1;
    }
    __syncthreads();
    return last != 0;
}

// Reads what other blocks wrote, past this multiprocessor's own cache.

__device__ __forceinline__ float latest(const float* from) {
    float value;
    asm volatile("ld.global.cg.f32 %0,[%1];" : "=f"(value) : "l"(from) : "memory");
    return value;
}

__device__ __forceinline__ float2 latest(const float2* from) {
    float2 value;
    asm volatile("ld.global.cg.v2.f32 {%0,%1},[%2];"
                 : "=f"(value.x), "=f"(value.y)
                 : "l"(from)
                 : "memory");
    return value;
}
