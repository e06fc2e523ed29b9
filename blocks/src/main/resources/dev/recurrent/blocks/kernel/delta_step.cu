// One token of the gated delta rule (arXiv 2412.06464, equation 10) for each row and value head:
//
//   S <- exp(g) S + k u,  u = beta (v - exp(g) S'k) or v,  o = scale S'q
//
// in place on S [K, V], with q and k normalised first, and beta and g made of a projection's logits,
// where the constants say so: beta = betaScale sigmoid(b), g = -exp(A) softplus(a + bias) (arXiv
// 2412.06464, section 3.4). Columns of S do not depend on each other: a block has GROUPS * ITEMS of
// them and reads its part of S once into registers, STEPS rows of S a thread. What S'k and S'q are
// follows from one sum over the rows, since the new S'q = exp(g) S'q + (q.k) u.
//
// Constants: X_TYPE (of q and k), V_TYPE (of v and o), G_TYPE (of beta and g, or their logits), K,
// ITEMS (columns a thread, 4, or 1 where V is no multiple of 4), GROUPS (of columns: 4 or 8 lanes of
// a warp), WARPS (of a block), STEPS (K / STRIDE or more), BETA, DECAY (0 for none, 1 for values, 2
// for logits), NORMALIZE, RESETS (1 if there are positions).

constexpr int LANES = 32;
constexpr int STRIDE = WARPS * LANES / GROUPS;  // rows of S that the block reads at once
constexpr int WIDTH = GROUPS * ITEMS;

struct alignas(ITEMS * 4) Columns {
    float of[ITEMS];
};

constexpr float EPSILON = 1e-6f;  // of a norm

// log(1 + exp(x)), which stays finite.
__device__ __forceinline__ float softplus(float x) {
    return fmaxf(x, 0) + log1pf(expf(-fabsf(x)));
}

__device__ __forceinline__ float sumOverRows(float value) {
#pragma unroll
    for (int away = GROUPS; away < LANES; away *= 2) {
        value += __shfl_xor_sync(0xffffffffu, value, away);
    }
    return value;
}

// q and k [B, H, K] and v [B, HV, V] with a stride from row to row of the batch, beta and decay
// [B, HV], A and bias [HV], positions [B], state [B, HV, K, V], o [B, HV, V]. Grid: B * HV, tiles of columns.
// Block: LANES, WARPS.
extern "C" __global__ void __launch_bounds__(LANES * WARPS) delta_step(
        const X_TYPE* q,
        const X_TYPE* k,
        const V_TYPE* v,
        const G_TYPE* beta,
        const G_TYPE* decay,
        const float* __restrict__ rates,
        const float* __restrict__ biases,
        const long long* positions,
        float* state,
        V_TYPE* o,
        long long qStride,
        long long kStride,
        long long vStride,
        int heads,
        int valueHeads,
        int values,
        float scale,
        float betaScale) {
    __shared__ float held[WARPS][WIDTH];
    __shared__ float read[WARPS][WIDTH];
    __shared__ float dots[3][WARPS];  // q.k, q.q, k.k
    letNextBegin();
    awaitPrevious();
    const int row = blockIdx.x / valueHeads;
    const int head = blockIdx.x % valueHeads;
    const int keyHead = head / (valueHeads / heads);
    const int group = threadIdx.x % GROUPS;
    const int warp = threadIdx.y;
    const int from = warp * (LANES / GROUPS) + threadIdx.x / GROUPS;
    const int column = blockIdx.y * WIDTH + group * ITEMS;
    const bool inside = column < values;
    float kept = 1;
#if DECAY == 1
    kept = expf(widen(decay[blockIdx.x]));
#elif DECAY == 2
    kept = expf(-expf(rates[head]) * softplus(widen(decay[blockIdx.x]) + biases[head]));
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
    float dot[3] = {};
#pragma unroll
    for (int i = 0; i < STEPS; ++i) {
        const int at = from + i * STRIDE;
        const float asked = at < K ? widen(query[at]) : 0;
        keys[i] = at < K ? widen(key[at]) : 0;
        dot[0] = fmaf(asked, keys[i], dot[0]);
        dot[1] = fmaf(asked, asked, dot[1]);
        dot[2] = fmaf(keys[i], keys[i], dot[2]);
#pragma unroll
        for (int j = 0; j < ITEMS; ++j) {
            // A reset also forgets what is not finite.
            s[i].of[j] = RESETS && kept == 0 ? 0 : kept * s[i].of[j];
            sumHeld[j] = fmaf(keys[i], s[i].of[j], sumHeld[j]);
            sumRead[j] = fmaf(asked, s[i].of[j], sumRead[j]);
        }
    }
#pragma unroll
    for (int j = 0; j < 3; ++j) {
        dot[j] = sumOverRows(dot[j]);
    }
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
        if (group < 3) {
            dots[group][warp] = group == 0 ? dot[0] : group == 1 ? dot[1] : dot[2];
        }
    }
    __syncthreads();
    float update[ITEMS];
    float match = 0;
    float ofQuery = 0;
    float ofKey = 0;
#pragma unroll
    for (int other = 0; other < WARPS; ++other) {
        match += dots[0][other];
        ofQuery += dots[1][other];
        ofKey += dots[2][other];
    }
    const float queryScale = NORMALIZE ? rsqrtf(ofQuery + EPSILON) : 1;
    const float keyScale = NORMALIZE ? rsqrtf(ofKey + EPSILON) : 1;
#if BETA == 1
    const float strength = widen(beta[blockIdx.x]);
#elif BETA == 2
    const float strength = betaScale / (1 + expf(-widen(beta[blockIdx.x])));
#endif
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
        update[j] = strength * (update[j] - keyScale * known);
#endif
        update[j] *= keyScale;  // what keys as they lie are multiplied by
        if (inside && from == 0) {
            const float out = scale * queryScale * fmaf(match, update[j], before);
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
