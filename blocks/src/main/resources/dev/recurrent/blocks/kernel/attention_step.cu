// softmax(scale q k) v of one token a row over the slots of a cache that hold something.
//
// Each block takes one piece of the slots, for heads that share keys. LANES lanes look at a key
// together, each keeping its part of the heads' queries and of their sums in registers; every group
// of lanes has a running maximum and sums (arXiv 1805.02867), which are merged in a fixed order over
// the warp, the block and the pieces. What lies in slots that hold nothing does not count.
//
// Constants: X_TYPE (of q and o), CACHE_TYPE (each float or bfloat16), KEY_DIM (K),
// VALUE_DIM (V), HEADS (of a block, sharing keys), LANES (a power of two, at most 32), WARPS, LEAST
// (as attention_merge.cuh has it).

constexpr int KEYS = WARP / LANES;  // that a warp looks at at a time
constexpr int STEPS = 4;            // loads under way at a time
constexpr int OF_KEY = (KEY_DIM + LANES - 1) / LANES;
constexpr int OF_VALUE = (VALUE_DIM + LANES - 1) / LANES;

// The part of a vector of DIM elements that belongs to a lane, as it lies in memory: nothing waits
// for it until it is looked at.
template <typename T, int DIM, int COUNT>
struct Part {
    static constexpr int BYTES = COUNT * sizeof(T);
    static constexpr int WORD =
            DIM % LANES != 0 ? 0 : BYTES % 16 == 0 ? 16 : BYTES % 8 == 0 ? 8 : 0;
    static constexpr bool PAIRS = WORD > 0 && sizeof(T) == 2;
    static constexpr int SIZE = PAIRS ? COUNT / 2 : COUNT;

    unsigned int raw[SIZE];

    __device__ __forceinline__ void load(const T* vector, int lane) {
        const T* from = vector + lane * COUNT;
        if constexpr (WORD == 0) {
#pragma unroll
            for (int i = 0; i < COUNT; ++i) {
                raw[i] = lane * COUNT + i < DIM ? __float_as_uint(widen(from[i])) : 0;
            }
        } else {
            constexpr int EACH = WORD / sizeof(unsigned int);
            struct __align__(WORD) Word {
                unsigned int raw[EACH];
            };
#pragma unroll
            for (int w = 0; w < SIZE / EACH; ++w) {
                const Word word = reinterpret_cast<const Word*>(from)[w];
#pragma unroll
                for (int i = 0; i < EACH; ++i) {
                    raw[w * EACH + i] = word.raw[i];
                }
            }
        }
    }

    __device__ __forceinline__ float get(int i) const {
        if constexpr (PAIRS) {
            return __uint_as_float(i % 2 == 0 ? raw[i / 2] << 16 : raw[i / 2] & 0xffff0000u);
        } else {
            return __uint_as_float(raw[i]);
        }
    }

    __device__ __forceinline__ void clearUnless(bool wanted) {
#pragma unroll
        for (int i = 0; i < SIZE; ++i) {
            raw[i] = wanted ? raw[i] : 0;
        }
    }
};

// Keys and values that a lane looks at at a time.
struct Step {
    long long held[STEPS];
    Part<CACHE_TYPE, KEY_DIM, OF_KEY> keys[STEPS];
    Part<CACHE_TYPE, VALUE_DIM, OF_VALUE> values[STEPS];

    // Of the slots from `base` on. All loads are under way together: none waits to learn whether a
    // slot holds something, and there is a slot to read beyond the end.
    __device__ __forceinline__ void load(
            const CACHE_TYPE* allKeys,
            const CACHE_TYPE* allValues,
            const long long* allHeld,
            int base,
            int end) {
        const int lane = threadIdx.x % LANES;
#pragma unroll
        for (int u = 0; u < STEPS; ++u) {
            const int at = base + u * WARPS * KEYS + threadIdx.x / LANES;
            const long long slot = min(at, end - 1);
            held[u] = allHeld[slot];
            held[u] = at < end ? held[u] : -1;
            keys[u].load(allKeys + slot * KEY_DIM, lane);
            values[u].load(allValues + slot * VALUE_DIM, lane);
        }
    }
};

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
// where nothing is held, positions [B] of the tokens, which see slots up to their position + 1;
// o [B, KV, G, V]; of at most P pieces, partial sums [B, KV, G, P, V] and, for each, maximum and
// weight [B, KV, G, P, 2]; arrived as finish says. Grid: P, B * KV * (G / HEADS). Block: 32, WARPS.
extern "C" __global__ void __launch_bounds__(WARP * WARPS) attend(
        const X_TYPE* q,
        const CACHE_TYPE* keys,
        const CACHE_TYPE* values,
        const long long* held,
        const long long* positions,
        X_TYPE* o,
        float* partial,
        float* weights,
        unsigned int* arrived,
        int groups,
        int heads,
        int slots,
        float scale) {
    letNextBegin();
    awaitPrevious();
    const int lane = threadIdx.x % LANES;
    const int parts = heads / HEADS;  // blocks of a group's heads
    const int part = blockIdx.y;
    const int row = part / (groups * parts);
    const long long group = part / parts;
    const long long firstHead = group * heads + part % parts * HEADS;
    const Share share = Share::of(positions[row], slots, gridDim.x);
    const int begin = blockIdx.x * share.length;
    const int end = min(share.slots, begin + share.length);
    if (begin >= end) {
        return;
    }
    held += (long long)row * slots;
    keys += group * slots * KEY_DIM;
    values += group * slots * VALUE_DIM;

    Part<X_TYPE, KEY_DIM, OF_KEY> asked[HEADS];
#pragma unroll
    for (int h = 0; h < HEADS; ++h) {
        asked[h].load(q + (firstHead + h) * KEY_DIM, lane);
    }
    int base = begin + threadIdx.y * KEYS;
    Step step;
    step.load(keys, values, held, base, end);
    float queries[HEADS][OF_KEY];
    Running running[HEADS];
#pragma unroll
    for (int h = 0; h < HEADS; ++h) {
        running[h] = {NONE, 0, {}};
#pragma unroll
        for (int i = 0; i < OF_KEY; ++i) {
            queries[h][i] = asked[h].get(i) * (scale * LOG2_E);
        }
    }
    while (base < end) {
#pragma unroll
        for (int u = 0; u < STEPS; ++u) {
            step.values[u].clearUnless(step.held[u] >= 0);
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
                    score = fmaf(queries[h][i], step.keys[u].get(i), score);
                }
                score = sumOfLanes(score);
                scores[u] = step.held[u] >= 0 ? score : NONE;
                most = fmaxf(most, scores[u]);
            }
            running[h].raise(most);
#pragma unroll
            for (int u = 0; u < STEPS; ++u) {
                const float weight =
                        step.held[u] >= 0 ? exp2f(scores[u] - running[h].most) : 0;
                running[h].weight += weight;
#pragma unroll
                for (int i = 0; i < OF_VALUE; ++i) {
                    running[h].sums[i] = fmaf(weight, step.values[u].get(i), running[h].sums[i]);
                }
            }
        }
        base += WARPS * KEYS * STEPS;
        if (base < end) {
            step.load(keys, values, held, base, end);
        }
    }

    __shared__ Merging shared;
    Sums& sums = shared.sums;
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
            float* to = sums.values[threadIdx.y][h] + lane * OF_VALUE;
            if constexpr (VALUE_DIM % LANES == 0 && OF_VALUE % 4 == 0) {
#pragma unroll
                for (int i = 0; i < OF_VALUE; i += 4) {
                    const float* from = running[h].sums + i;
                    *reinterpret_cast<float4*>(to + i) = {from[0], from[1], from[2], from[3]};
                }
            } else {
#pragma unroll
                for (int i = 0; i < OF_VALUE; ++i) {
                    if (lane * OF_VALUE + i < VALUE_DIM) {
                        to[i] = running[h].sums[i];
                    }
                }
            }
        }
    }
    finish(shared, share, firstHead, o, partial, weights, arrived);
}
