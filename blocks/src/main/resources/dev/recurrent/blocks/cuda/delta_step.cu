// One token of the gated delta rule (arXiv 2412.06464, equation 10) for each row and value head:
//
//   S <- exp(g) S + k u,  u = beta (v - exp(g) S'k) or v,  o = scale S'q
//
// in place on S [K, V]. Columns of S do not depend on each other: a block has GROUPS * ITEMS of
// them and reads its part of S once into registers, STEPS rows of S a thread. What S'k and S'q are
// follows from one sum over the rows, since the new S'q = exp(g) S'q + (q.k) u.
//
// Constants: X_TYPE (of q and k), V_TYPE (of v and o), K, ITEMS (columns a thread, 4, or 1 where V
// is no multiple of 4), STEPS (>= K / 32), BETA, DECAY, RESETS (1 if there are betas, decays,
// positions).

constexpr int GROUPS = 8;  // of columns, across a quarter of a warp
constexpr int WARPS = 8;
constexpr int LANES = 32;
constexpr int STRIDE = WARPS * LANES / GROUPS;  // rows of S that the block reads at once
constexpr int WIDTH = GROUPS * ITEMS;

struct alignas(ITEMS * 4) Columns {
    float of[ITEMS];
};

__device__ __forceinline__ float sumOverRows(float value) {
    value += __shfl_xor_sync(0xffffffffu, value, GROUPS);
    return value + __shfl_xor_sync(0xffffffffu, value, 2 * GROUPS);
}

// q and k [B, H, K] and v [B, HV, V] with a stride from row to row of the batch, beta and decay
// [B, HV], positions [B], state [B, HV, K, V], o [B, HV, V]. Grid: B * HV, tiles of columns.
// Block: LANES, WARPS.
extern "C" __global__ void __launch_bounds__(LANES * WARPS) delta_step(
        const X_TYPE* __restrict__ q,
        const X_TYPE* __restrict__ k,
        const V_TYPE* __restrict__ v,
        const float* __restrict__ beta,
        const float* __restrict__ decay,
        const long long* __restrict__ positions,
        float* __restrict__ state,
        V_TYPE* __restrict__ o,
        long long qStride,
        long long kStride,
        long long vStride,
        int heads,
        int valueHeads,
        int values,
        float scale) {
    __shared__ float held[WARPS][WIDTH];
    __shared__ float read[WARPS][WIDTH];
    __shared__ float matches[WARPS];
    const int row = blockIdx.x / valueHeads;
    const int head = blockIdx.x % valueHeads;
    const int keyHead = head / (valueHeads / heads);
    const int group = threadIdx.x % GROUPS;
    const int warp = threadIdx.y;
    const int from = warp * (LANES / GROUPS) + threadIdx.x / GROUPS;
    const int column = blockIdx.y * WIDTH + group * ITEMS;
    const bool inside = column < values;
    float kept = 1;
#if DECAY
    kept = expf(decay[blockIdx.x]);
#endif
#if RESETS
    kept = positions[row] == 0 ? 0 : kept;
#endif
    float* own = state + (long long)blockIdx.x * K * values + column;
    const X_TYPE* query = q + row * qStride + keyHead * K;
    const X_TYPE* key = k + row * kStride + keyHead * K;
    Columns s[STEPS];
#pragma unroll
    for (int i = 0; i < STEPS; ++i) {
        const int at = from + i * STRIDE;
        if (inside && at < K) {
            s[i] = *(const Columns*)(own + (long long)at * values);
        } else {
#pragma unroll
            for (int j = 0; j < ITEMS; ++j) {
                s[i].of[j] = 0;
            }
        }
    }
    float keys[STEPS];
    float sumHeld[ITEMS] = {};
    float sumRead[ITEMS] = {};
    float match = 0;
#pragma unroll
    for (int i = 0; i < STEPS; ++i) {
        const int at = from + i * STRIDE;
        const float asked = at < K ? widen(query[at]) : 0;
        keys[i] = at < K ? widen(key[at]) : 0;
        match = fmaf(asked, keys[i], match);
#pragma unroll
        for (int j = 0; j < ITEMS; ++j) {
            // A reset also forgets what is not finite.
            s[i].of[j] = RESETS && kept == 0 ? 0 : kept * s[i].of[j];
            sumHeld[j] = fmaf(keys[i], s[i].of[j], sumHeld[j]);
            sumRead[j] = fmaf(asked, s[i].of[j], sumRead[j]);
        }
    }
    match = sumOverRows(match);
#pragma unroll
    for (int j = 0; j < ITEMS; ++j) {
        sumHeld[j] = sumOverRows(sumHeld[j]);
        sumRead[j] = sumOverRows(sumRead[j]);
    }
    if (threadIdx.x < GROUPS) {
#pragma unroll
        for (int j = 0; j < ITEMS; ++j) {
            held[warp][group * ITEMS + j] = sumHeld[j];
            read[warp][group * ITEMS + j] = sumRead[j];
        }
        if (group == 0) {
            matches[warp] = match;
        }
    }
    __syncthreads();
    float update[ITEMS];
    match = 0;
#pragma unroll
    for (int other = 0; other < WARPS; ++other) {
        match += matches[other];
    }
#pragma unroll
    for (int j = 0; j < ITEMS; ++j) {
        float known = 0;
        float before = 0;
#pragma unroll
        for (int other = 0; other < WARPS; ++other) {
            known += held[other][group * ITEMS + j];
            before += read[other][group * ITEMS + j];
        }
        const long long at = (long long)head * values + column + j;
        update[j] = inside ? widen(v[row * vStride + at]) : 0;
#if BETA
        update[j] = beta[blockIdx.x] * (update[j] - known);
#endif
        if (inside && from == 0) {
            const float out = scale * fmaf(match, update[j], before);
            o[(long long)row * valueHeads * values + at] = narrow<V_TYPE>(out);
        }
    }
#pragma unroll
    for (int i = 0; i < STEPS; ++i) {
        const int at = from + i * STRIDE;
        if (inside && at < K) {
#pragma unroll
            for (int j = 0; j < ITEMS; ++j) {
                s[i].of[j] = fmaf(keys[i], update[j], s[i].of[j]);
            }
            *(Columns*)(own + (long long)at * values) = s[i];
        }
    }
}
