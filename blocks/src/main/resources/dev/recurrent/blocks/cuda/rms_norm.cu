// w x / sqrt(mean(x^2) + epsilon) over the last dimension or each of equal parts of it, in fp32.
//
// Each part of a row is read once: WARPS warps keep it in registers, ITEMS elements a thread, while
// the sum of squares goes through them, always in the same order. Parts of one warp share blocks.
//
// Constants: X_TYPE, W_TYPE (float or bfloat16), ITEMS, WARPS, PARTS (of a block; 1 unless WARPS is
// 1), CENTRED (1 if weights are stored minus 1).

constexpr int LANES = 32;
constexpr int THREADS = LANES * WARPS;  // of a part

__device__ __forceinline__ float sumOfWarp(float value) {
#pragma unroll
    for (int distance = LANES / 2; distance > 0; distance /= 2) {
        value += __shfl_xor_sync(0xffffffffu, value, distance);
    }
    return value;
}

__device__ __forceinline__ float sumOfPart(float value) {
    value = sumOfWarp(value);
    if (WARPS == 1) {
        return value;
    }
    __shared__ float sums[WARPS];
    const int lane = threadIdx.x % LANES;
    if (lane == 0) {
        sums[threadIdx.x / LANES] = value;
    }
    __syncthreads();
    return sumOfWarp(lane < WARPS ? sums[lane] : 0);
}

// `total` parts of `size` elements, `parts` of them a row. Grid: enough blocks for all parts.
// Block: THREADS, PARTS; ITEMS * THREADS >= size.
extern "C" __global__ void __launch_bounds__(THREADS * PARTS) rms_norm(
        const X_TYPE* __restrict__ x,
        const W_TYPE* __restrict__ weight,
        X_TYPE* __restrict__ y,
        long long total,
        int size,
        int parts,
        float epsilon) {
    const long long part = (long long)blockIdx.x * PARTS + threadIdx.y;
    if (part >= total) {
        return;
    }
    const long long begin = part * size;
    const int weights = part % parts * size;
    float values[ITEMS];
    float squares = 0;
#pragma unroll
    for (int i = 0; i < ITEMS; ++i) {
        const int at = i * THREADS + threadIdx.x;
        values[i] = at < size ? widen(x[begin + at]) : 0;
        squares = fmaf(values[i], values[i], squares);
    }
    const float scale = rsqrtf(sumOfPart(squares) / size + epsilon);
#pragma unroll
    for (int i = 0; i < ITEMS; ++i) {
        const int at = i * THREADS + threadIdx.x;
        if (at < size) {
            const float w = widen(weight[weights + at]) + CENTRED;
            y[begin + at] = narrow<X_TYPE>(values[i] * scale * w);
        }
    }
}
