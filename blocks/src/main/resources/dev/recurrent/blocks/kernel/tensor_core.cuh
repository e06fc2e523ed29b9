// Tensor-core products, and copies into shared memory that nobody waits for, as functions: inline
// PTX for sm_80 and newer, since NVRTC has no header for it at hand.
//
// Fragments stand as PTX defines them. Of a 16x8 accumulator d, lane l holds d[0], d[1] at row l/4,
// columns 2(l%4) and the next, and d[2], d[3] eight rows below.

// d += a b for a [16, 16] and b [16, 8] of bf16.
__device__ __forceinline__ void mma_bf16(
        float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// d += a b for a [16, 8] and b [8, 8] of fp32, whose low 13 bits the product does not see.
__device__ __forceinline__ void mma_tf32(
        float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
        "{%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Two floats rounded to bf16, the first in the low half.
__device__ __forceinline__ unsigned pack_bf16(float low, float high) {
    unsigned packed;
    asm("cvt.rn.bf16x2.f32 %0,%1,%2;" : "=r"(packed) : "f"(high), "f"(low));
    return packed;
}

__device__ __forceinline__ unsigned sharedAddress(const void* pointer) {
    return (unsigned)__cvta_generic_to_shared(pointer);
}

// Four 8x8 matrices of 16-bit elements from shared memory. Lane 8m + i says where row i of matrix m
// begins, at a multiple of 16 bytes; lane l gets the elements 2(l%4) and the next of row l/4 of
// each, with _trans those of its transpose.
__device__ __forceinline__ void ldmatrix_x4(unsigned (&r)[4], const void* row) {
    asm volatile(
            "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3},[%4];"
            : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
            : "r"(sharedAddress(row)));
}

__device__ __forceinline__ void ldmatrix_x4_trans(unsigned (&r)[4], const void* row) {
    asm volatile(
            "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3},[%4];"
            : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
            : "r"(sharedAddress(row)));
}

// The transpose of an 8x8 matrix of 16-bit elements, of which lane l holds 2(l%4) and the next of
// row l/4.
__device__ __forceinline__ unsigned movmatrix_trans(unsigned pair) {
    unsigned transposed;
    asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0,%1;" : "=r"(transposed) : "r"(pair));
    return transposed;
}

// Starts to copy 16 bytes into shared memory, zeros if not valid. Both addresses are multiples of
// 16; the global one is to be readable even so.
__device__ __forceinline__ void cp_async16(void* shared, const void* global, bool valid) {
    const int bytes = valid ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0],[%1],16,%2;"
                 :
                 : "r"(sharedAddress(shared)), "l"(global), "r"(bytes)
                 : "memory");
}

// Ends a group of the thread's copies.
__device__ __forceinline__ void cp_async_commit() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}

// Waits until at most N of the thread's groups are under way.
template <int N>
__device__ __forceinline__ void cp_async_wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

extern __shared__ __align__(128) char dynamicShared[];

// The block's dynamic shared memory.
__device__ __forceinline__ char* sharedMemory() { return dynamicShared; }
