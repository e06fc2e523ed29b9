// softmax(scale q k) v of one token a row over the slots of a cache that hold something.
//
// Each block takes one piece of the slots, for heads that share keys. LANES lanes look at a key
// together, each keeping its part of the heads' queries and of their sums in registers; every group
// of lanes has a running maximum and sums (arXiv 1805.02867), which are merged in a fixed order over
// the warp, the block and, by combine, the pieces. Slots that hold nothing are not read.
//
// Constants: X_TYPE (of q and o), CACHE_TYPE (each float or bfloat16), KEY_DIM (K),
// VALUE_DIM (V), HEADS (of a block, sharing keys), LANES (a power of two, at most 32), WARPS.

constexpr int KEYS = WARP / LANES;  // that a warp looks at at a time
constexpr int STEPS = 4;            // loads under way at a time
constexpr int OF_KEY = (KEY_DIM + LANES - 1) / LANES;
constexpr int OF_VALUE = (VALUE_DIM + LANES - 1) / LANES;

// The part of a vector of DIM elements that belongs to a lane, as it lies in memory.
template <typename T, int DIM, int COUNT>
struct Part {
    static constexpr int BYTES = COUNT * sizeof(T);
    static constexpr int WORD = DIM % LANES != 0 ? 0 : BYTES % 16 == 0 ? 16 : BYTES % 8 == 0 ? 8 : 0;

    T values[COUNT];

    __device__ __forceinline__ void load(const T* vector, int lane) {
        const T* from = vector + lane * COUNT;
        if constexpr (WORD == 0) {
#pragma unroll
            for (int i = 0; i < COUNT; ++i) {
                values[i] = lane * COUNT + i < DIM ? from[i] : narrow<T>(0);
            }
        } else {
            struct __align__(WORD) Word {
                T values[WORD / sizeof(T)];
            };
            const Word* words = reinterpret_cast<const Word*>(from);
#pragma unroll
            for (int w = 0; w < BYTES / WORD; ++w) {
                const Word word = words[w];
#pragma unroll
                for (int i = 0; i < WORD / (int)sizeof(T); ++i) {
                    values[w * (WORD / (int)sizeof(T)) + i] = word.values[i];
                }
            }
        }
    }

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int i = 0; i < COUNT; ++i) {
            values[i] = narrow<T>(0);
        }
    }
};

using KeyPart = Part<CACHE_TYPE, KEY_DIM, OF_KEY>;
using ValuePart = Part<CACHE_TYPE, VALUE_DIM, OF_VALUE>;

// Softmax under way for one head: weights are powers of two relative to `most`.
struct Running {
    float most;
    float weight;
    float sums[OF_VALUE];

    __device__ __forceinline__ void raise(float score) {
        const float next = fmaxf(most, score);
        const float factor = exp2f(most - next);
        most = next;
        weight *= factor;
#pragma unroll
        for (int i = 0; i < OF_VALUE; ++i) {
            sums[i] *= factor;
        }
    }
};

__device__ __forceinline__ float sumOfLanes(float value) {
#pragma unroll
    for (int distance = LANES / 2; distance > 0; distance /= 2) {
        value += __shfl_xor_sync(ALL, value, distance);
    }
    return value;
}

// q [B, KV, G, K], keys [B, KV, L, K], values [B, KV, L, V], held [B, L] the slots' positions, -1
// where nothing is held. With one piece, o [B, KV, G, V]; else partial sums [B, KV, G, pieces, V]
// and, for each, maximum and weight [B, KV, G, pieces, 2]. Grid: pieces of `length` slots, B * KV * (G / HEADS). Block: 32, WARPS.
extern "C" __global__ void __launch_bounds__(WARP * WARPS) attend(
        const X_TYPE* __restrict__ q,
        const CACHE_TYPE* __restrict__ keys,
        const CACHE_TYPE* __restrict__ values,
        const long long* __restrict__ held,
        X_TYPE* __restrict__ o,
        float* __restrict__ partial,
        float* __restrict__ weights,
        int groups,
        int heads,
        int slots,
        int length,
        float scale) {
    const int lane = threadIdx.x % LANES;
    const int parts = heads / HEADS;  // blocks of a group's heads
    const long long group = blockIdx.y / parts;
    const long long firstHead = group * heads + blockIdx.y % parts * HEADS;
    const long long* row = held + group / groups * slots;
    keys += group * slots * KEY_DIM;
    values += group * slots * VALUE_DIM;

    float queries[HEADS][OF_KEY];
    Running running[HEADS];
#pragma unroll
    for (int h = 0; h < HEADS; ++h) {
        running[h] = {NONE, 0, {}};
        const X_TYPE* query = q + (firstHead + h) * KEY_DIM;
#pragma unroll
        for (int i = 0; i < OF_KEY; ++i) {
            const int at = lane * OF_KEY + i;
            queries[h][i] = at < KEY_DIM ? widen(query[at]) * (scale * LOG2_E) : 0;
        }
    }

    const int begin = blockIdx.x * length;
    const int end = min(slots, begin + length);
    for (int base = begin + threadIdx.y * KEYS; base < end; base += WARPS * KEYS * STEPS) {
        bool seen[STEPS];
        bool any = false;
#pragma unroll
        for (int u = 0; u < STEPS; ++u) {
            const int slot = base + u * WARPS * KEYS + threadIdx.x / LANES;
            seen[u] = slot < end && row[slot] >= 0;
            any |= seen[u];
        }
        if (!__any_sync(ALL, any)) {
            continue;
        }
        KeyPart key[STEPS];
        ValuePart value[STEPS];
#pragma unroll
        for (int u = 0; u < STEPS; ++u) {
            const long long slot = base + u * WARPS * KEYS + threadIdx.x / LANES;
            key[u].clear();
            value[u].clear();
            if (seen[u]) {
                key[u].load(keys + slot * KEY_DIM, lane);
                value[u].load(values + slot * VALUE_DIM, lane);
            }
        }
#pragma unroll
        for (int h = 0; h < HEADS; ++h) {
            float scores[STEPS];
            float most = NONE;
#pragma unroll
            for (int u = 0; u < STEPS; ++u) {
                float score = 0;
#pragma unroll
                for (int i = 0; i < OF_KEY; ++i) {
                    score = fmaf(queries[h][i], widen(key[u].values[i]), score);
                }
                score = sumOfLanes(score);
                scores[u] = seen[u] ? score : NONE;
                most = fmaxf(most, scores[u]);
            }
            running[h].raise(most);
#pragma unroll
            for (int u = 0; u < STEPS; ++u) {
                const float weight = seen[u] ? exp2f(scores[u] - running[h].most) : 0;
                running[h].weight += weight;
#pragma unroll
                for (int i = 0; i < OF_VALUE; ++i) {
                    running[h].sums[i] = fmaf(weight, widen(value[u].values[i]), running[h].sums[i]);
                }
            }
        }
    }

    __shared__ Sums sums;
#pragma unroll
    for (int h = 0; h < HEADS; ++h) {
        // Lanes that hold the same part of other keys' sums.
#pragma unroll
        for (int distance = LANES; distance < WARP; distance *= 2) {
            const float other = __shfl_xor_sync(ALL, running[h].most, distance);
            running[h].raise(other);
            running[h].weight += __shfl_xor_sync(ALL, running[h].weight, distance);
#pragma unroll
            for (int i = 0; i < OF_VALUE; ++i) {
                running[h].sums[i] += __shfl_xor_sync(ALL, running[h].sums[i], distance);
            }
        }
        if (threadIdx.x < LANES) {
            sums.mosts[threadIdx.y][h] = running[h].most;
            sums.weights[threadIdx.y][h] = running[h].weight;
#pragma unroll
            for (int i = 0; i < OF_VALUE; ++i) {
                const int at = lane * OF_VALUE + i;
                if (at < VALUE_DIM) {
                    sums.values[threadIdx.y][h][at] = running[h].sums[i];
                }
            }
        }
    }
    __syncthreads();

    merge(sums, firstHead, o, partial, weights);
}
