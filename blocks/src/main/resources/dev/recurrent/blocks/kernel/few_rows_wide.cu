// y = W x + b for few rows x: [rows, in] times float32 weights W [out, in], at the speed at which W
// is read. A warp has OUTPUTS outputs, its lanes share the inputs, 16 bytes of a row at a time.
//
// Constants: those of few_rows.cuh (GATED is 0), ROWS (exactly), WARPS (of a block), AHEAD (loads of
// a weight row that a thread has under way), OUTPUTS (of a warp). in is a multiple of 4.

// Four inputs.
__device__ __forceinline__ float4 inputs(const float* x) {
    return *(const float4*)x;
}

__device__ __forceinline__ float4 inputs(const bfloat16* x) {
    return make_float4(widen(x[0]), widen(x[1]), widen(x[2]), widen(x[3]));
}

// Grid: enough blocks for all outputs of all matrices, WARPS * OUTPUTS each. Block: LANES, WARPS.
extern "C" __global__ void __launch_bounds__(LANES * WARPS) few_rows(
        const X_TYPE* x, int rows, int in, const Matrices matrices) {
    letNextBegin();
    const int lane = threadIdx.x;
    const Task task = taskOf(matrices, WARPS * OUTPUTS);
    const int out = (int)task.matrix.out;
    const int first = task.first + threadIdx.y * OUTPUTS;
    const float* own[OUTPUTS];
#pragma unroll
    for (int i = 0; i < OUTPUTS; ++i) {
        own[i] = (const float*)task.matrix.weight + (long long)min(first + i, out - 1) * in;
    }
    float total[OUTPUTS][ROWS] = {};
    awaitPrevious();
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
                put(task.matrix, row, first + i, sum);
            }
        }
    }
}
