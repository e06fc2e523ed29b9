// The sum of the squares of all elements of some tensors, in fp32 and a fixed order: every tensor
// leaves partial sums, the number of its blocks, and the last kernel adds up all of them.
//
// Constants: VECTOR (divides the size; packs are aligned), WARPS.
// Block: THREADS.

constexpr int THREADS = LANES * WARPS;

__device__ __forceinline__ float sumOfBlock(float value) {
    __shared__ float warps[WARPS];
    value = sumOfWarp(value);
    const int lane = threadIdx.x % LANES;
    if (lane == 0) {
        warps[threadIdx.x / LANES] = value;
    }
    __syncthreads();
    return sumOfWarp(lane < WARPS ? warps[lane] : 0);
}

// Grid: as many blocks as are to share the elements. `sums`: float [gridDim.x].
extern "C" __global__ void __launch_bounds__(THREADS) partial_squares(
        const float* __restrict__ values, float* __restrict__ sums, long long size) {
    float sum = 0;
    const long long step = (long long)gridDim.x * THREADS * VECTOR;
#pragma unroll 4
    for (long long at = ((long long)blockIdx.x * THREADS + threadIdx.x) * VECTOR; at < size;
            at += step) {
        float read[VECTOR];
        widen(load<VECTOR>(values + at), read);
#pragma unroll
        for (int i = 0; i < VECTOR; ++i) {
            sum = fmaf(read[i], read[i], sum);
        }
    }
    sum = sumOfBlock(sum);
    if (threadIdx.x == 0) {
        sums[blockIdx.x] = sum;
    }
}

// Grid: one block.
extern "C" __global__ void __launch_bounds__(THREADS) total(
        const float* __restrict__ sums, float* __restrict__ all, int count) {
    float sum = 0;
    for (int at = threadIdx.x; at < count; at += THREADS) {
        sum += sums[at];
    }
    sum = sumOfBlock(sum);
    if (threadIdx.x == 0) {
        *all = sum;
    }
}
