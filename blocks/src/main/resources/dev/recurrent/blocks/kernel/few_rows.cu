// y = W x + b for few rows x: [rows, in] times W [out, in], at the speed at which W is read.
//
// bfloat16 weights: tensor cores, since at 16 rows the products would outlast the reading. A block
// has 16 outputs, and its warps share the inputs: each takes every WARPS-th piece of 32. A
// product's inner index may be permuted if both sides agree, so that a lane's 16 bytes of a weight
// row, as they lie in memory, are its share of two products, and nothing goes through shared memory
// but the warps' sums, which are added in the order of the warps.
//
// float32 weights: a warp has OUTPUTS outputs, its lanes share the inputs, 16 bytes at a time.
//
// Constants: X_TYPE (of x and y), B_TYPE (float or bfloat16), ROWS (the most rows: 8 or 16 for
// bfloat16, the exact number for float32), WIDE (1 for float32 weights), WARPS (of a block), AHEAD
// (loads of a weight row that a thread has under way), OUTPUTS (of a warp; float32 only).
// in is a multiple of 8 (bfloat16) or 4 (float32).

constexpr int LANES = 32;

__device__ __forceinline__ uint4 load16(const void* address) {
    return __ldg((const uint4*)address);
}

#if !WIDE

constexpr int OUTPUTS = 16;  // of a block
constexpr int PIECE = 32;  // inputs of two products
constexpr int ROW_TILES = ROWS / 8;

// Eight inputs as bfloat16.
struct Inputs {
    static __device__ __forceinline__ uint4 read(const bfloat16* x) { return load16(x); }

    static __device__ __forceinline__ uint4 read(const float* x) {
        const float4 first = __ldg((const float4*)x);
        const float4 second = __ldg((const float4*)x + 1);
        return make_uint4(
                pack_bf16(first.x, first.y),
                pack_bf16(first.z, first.w),
                pack_bf16(second.x, second.y),
                pack_bf16(second.z, second.w));
    }
};

// Grid: enough blocks for all outputs. Block: LANES, WARPS.
extern "C" __global__ void __launch_bounds__(LANES * WARPS) few_rows(
        const X_TYPE* __restrict__ x,
        const bfloat16* __restrict__ weight,
        const B_TYPE* __restrict__ bias,
        X_TYPE* __restrict__ y,
        int rows,
        int in,
        int out) {
    __shared__ float sums[WARPS][OUTPUTS][ROWS + 1];
    const int lane = threadIdx.x;
    const int warp = threadIdx.y;
    const int group = lane / 4;
    const int share = lane % 4 * 8;  // of a piece
    const int first = blockIdx.x * OUTPUTS;
    const bfloat16* low = weight + (long long)min(first + group, out - 1) * in;
    const bfloat16* high = weight + (long long)min(first + group + 8, out - 1) * in;
    float total[ROW_TILES][4] = {};
    const uint4 zero = make_uint4(0, 0, 0, 0);
    for (int begin = warp * PIECE; begin < in; begin += AHEAD * WARPS * PIECE) {
        // All loads are on their way before one is waited for.
        uint4 w[AHEAD][2];
#pragma unroll
        for (int a = 0; a < AHEAD; ++a) {
            const int at = begin + a * WARPS * PIECE + share;
            w[a][0] = at < in ? load16(low + at) : zero;
            w[a][1] = at < in ? load16(high + at) : zero;
        }
        uint4 v[AHEAD][ROW_TILES];
#pragma unroll
        for (int a = 0; a < AHEAD; ++a) {
            const int at = begin + a * WARPS * PIECE + share;
#pragma unroll
            for (int r = 0; r < ROW_TILES; ++r) {
                const int row = r * 8 + group;
                v[a][r] = row < rows && at < in ? Inputs::read(x + (long long)row * in + at) : zero;
            }
        }
#pragma unroll
        for (int a = 0; a < AHEAD; ++a) {
            const unsigned int a0[4] = {w[a][0].x, w[a][1].x, w[a][0].y, w[a][1].y};
            const unsigned int a1[4] = {w[a][0].z, w[a][1].z, w[a][0].w, w[a][1].w};
#pragma unroll
            for (int r = 0; r < ROW_TILES; ++r) {
                const unsigned int b0[2] = {v[a][r].x, v[a][r].y};
                const unsigned int b1[2] = {v[a][r].z, v[a][r].w};
                mma_bf16(total[r], a0, b0);
                mma_bf16(total[r], a1, b1);
            }
        }
    }
#pragma unroll
    for (int r = 0; r < ROW_TILES; ++r) {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            sums[warp][group + j / 2 * 8][r * 8 + lane % 4 * 2 + j % 2] = total[r][j];
        }
    }
    __syncthreads();
    for (int i = warp * LANES + lane; i < OUTPUTS * rows; i += WARPS * LANES) {
        const int output = i % OUTPUTS;
        const int row = i / OUTPUTS;
        float sum = 0;
#pragma unroll
        for (int other = 0; other < WARPS; ++other) {
            sum += sums[other][output][row];
        }
        if (first + output < out) {
            const float shift = bias == nullptr ? 0 : widen(bias[first + output]);
            y[(long long)row * out + first + output] = narrow<X_TYPE>(sum + shift);
        }
    }
}

#else

// Four inputs as float32.
__device__ __forceinline__ float4 inputs(const float* x) {
    return __ldg((const float4*)x);
}

__device__ __forceinline__ float4 inputs(const bfloat16* x) {
    const uint2 two = __ldg((const uint2*)x);
    return make_float4(
            __uint_as_float(two.x << 16),
            __uint_as_float(two.x & 0xffff0000u),
            __uint_as_float(two.y << 16),
            __uint_as_float(two.y & 0xffff0000u));
}

// Grid: enough blocks for all outputs, WARPS * OUTPUTS each. Block: LANES, WARPS.
extern "C" __global__ void __launch_bounds__(LANES * WARPS) few_rows(
        const X_TYPE* __restrict__ x,
        const float* __restrict__ weight,
        const B_TYPE* __restrict__ bias,
        X_TYPE* __restrict__ y,
        int rows,
        int in,
        int out) {
    const int lane = threadIdx.x;
    const int first = (blockIdx.x * WARPS + threadIdx.y) * OUTPUTS;
    if (first >= out) {
        return;
    }
    const float* own[OUTPUTS];
#pragma unroll
    for (int i = 0; i < OUTPUTS; ++i) {
        own[i] = weight + (long long)min(first + i, out - 1) * in;
    }
    float total[OUTPUTS][ROWS] = {};
    for (int begin = lane * 4; begin < in; begin += AHEAD * LANES * 4) {
        float4 w[AHEAD][OUTPUTS];
#pragma unroll
        for (int a = 0; a < AHEAD; ++a) {
            const int at = begin + a * LANES * 4;
#pragma unroll
            for (int i = 0; i < OUTPUTS; ++i) {
                w[a][i] = at < in ? __ldg((const float4*)(own[i] + at)) : make_float4(0, 0, 0, 0);
            }
        }
#pragma unroll
        for (int a = 0; a < AHEAD; ++a) {
            const int at = min(begin + a * LANES * 4, in - 4);
#pragma unroll
            for (int row = 0; row < ROWS; ++row) {
                const float4 v = inputs(x + (long long)row * in + at);
#pragma unroll
                for (int i = 0; i < OUTPUTS; ++i) {
                    float sum = total[i][row];
                    sum = fmaf(w[a][i].x, v.x, sum);
                    sum = fmaf(w[a][i].y, v.y, sum);
                    sum = fmaf(w[a][i].z, v.z, sum);
                    total[i][row] = fmaf(w[a][i].w, v.w, sum);
                }
            }
        }
    }
#pragma unroll
    for (int i = 0; i < OUTPUTS; ++i) {
#pragma unroll
        for (int row = 0; row < ROWS; ++row) {
            float sum = total[i][row];
#pragma unroll
            for (int distance = LANES / 2; distance > 0; distance /= 2) {
                sum += __shfl_xor_sync(0xffffffffu, sum, distance);
            }
            if (lane == 0 && first + i < out) {
                const float shift = bias == nullptr ? 0 : widen(bias[first + i]);
                y[(long long)row * out + first + i] = narrow<X_TYPE>(sum + shift);
            }
        }
    }
}

#endif
