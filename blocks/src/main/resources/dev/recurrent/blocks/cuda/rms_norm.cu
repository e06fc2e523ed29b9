// w x / sqrt(mean(x^2) + epsilon) over the last dimension or each of equal parts of it, in fp32.
//
// A block owns one part of one row and reads it once: each thread keeps ITEMS elements in registers
// while the sum of squares goes through the block, always in the same order.
//
// Constants: X_TYPE, W_TYPE (float or bfloat16), ITEMS, CENTRED (1 if weights are stored minus 1).

constexpr int LANES = 32;

__device__ __forceinline__ float sumOfWarp(float value) {
#pragma unroll
    for (int distance = LANES / 2; distance > 0; distance /= 2) {
        value += __shfl_xor_sync(0xffffffffu, value, distance);
    }
    return value;
}

__device__ __forceinline__ float sumOfBlock(float value) {
    __shared__ float sums[LANES];
    const int lane = threadIdx.x % LANES;
    const int warps = blockDim.x / LANES;
    value = sumOfWarp(value);
    if (lane == 0) {
        sums[threadIdx.x / LANES] = value;
    }
    __syncthreads();
    return sumOfWarp(lane < warps ? sums[lane] : 0);
}

// Grid: parts of all rows. Block: a multiple of 32 threads, ITEMS * threads >= size.
extern "C" __global__ void rms_norm(
        const X_TYPE* __restrict__ x,
        const W_TYPE* __restrict__ weight,
        X_TYPE* __restrict__ y,
        int size,
        int parts,
        float epsilon) {
    const long long begin = (long long)blockIdx.x * size;
    const int weights = blockIdx.x % parts * size;
    float values[ITEMS];
    float squares = 0;
#pragma unroll
    for (int i = 0; i < ITEMS; ++i) {
        const int at = i * blockDim.x + threadIdx.x;
        values[i] = at < size ? widen(x[begin + at]) : 0;
        squares = fmaf(values[i], values[i], squares);
    }
    const float scale = rsqrtf(sumOfBlock(squares) / size + epsilon);
#pragma unroll
    for (int i = 0; i < ITEMS; ++i) {
        const int at = i * blockDim.x + threadIdx.x;
        if (at < size) {
            const float w = widen(weight[weights + at]) + CENTRED;
            y[begin + at] = narrow<X_TYPE>(values[i] * scale * w);
        }
    }
}
