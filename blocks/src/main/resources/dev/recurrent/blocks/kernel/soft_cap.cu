// x = c tanh(x / c) in place, rounded to the tensor's type after each of the three steps.
//
// Constants: X_TYPE (float or bfloat16), PACK (neighbours that a thread has).

struct __align__(sizeof(X_TYPE) * PACK) Pack {
    X_TYPE values[PACK];
};

__device__ __forceinline__ float rounded(float value) { return widen(narrow<X_TYPE>(value)); }

// x of `size` packs; inverse is 1 / cap. Grid: enough blocks for all packs. Block: any.
extern "C" __global__ void soft_cap(X_TYPE* x, long long size, float cap, float inverse) {
    const long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= size) {
        return;
    }
    Pack* place = reinterpret_cast<Pack*>(x) + at;
    Pack pack = *place;
#pragma unroll
    for (int i = 0; i < PACK; ++i) {
        const float share = rounded(__fmul_rn(widen(pack.values[i]), inverse));
        pack.values[i] = narrow<X_TYPE>(__fmul_rn(rounded(tanhf(share)), cap));
    }
    *place = pack;
}
