// softmax(scale q k) v of one token a row over the slots of a cache that hold something, where several
// heads share keys: on tensor cores, 16 heads by 16 keys of a warp at a time.
//
// Keys and values go from memory into registers as they lie, 16 bytes a lane. A sum over dimensions
// may take them in any order, so the lane's eight neighbouring dimensions stand for those that the
// instruction would have it hold; and columns of the result stand for dimensions eight apart. Queries
// and weights are rounded to bf16; sums are fp32. Slots that hold nothing are not read.
//
// Constants: X_TYPE (of q and o), KEY_DIM (K, a multiple of 32), VALUE_DIM (V, of 64), HEADS (of a
// block, sharing keys, at most 16), WARPS, LEAST (as attention_merge.cuh has it).

constexpr int KEYS = 16;  // of a warp at a time
constexpr int KEY_PARTS = KEY_DIM / 32;
constexpr int VALUE_PARTS = VALUE_DIM / 64;

union Shared {
    uint4 queries[KEY_PARTS][2][WARP];  // as operands of the product
    Merging merging;
};

// d += a b for a [16, 16] and b [16, 8] of bf16.
__device__ __forceinline__ void multiply(
        float (&d)[4], const uint4& a, unsigned int b0, unsigned int b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b0), "r"(b1));
}

__device__ __forceinline__ unsigned int pair(float low, float high) {
    return narrow<bfloat16>(low).bits | (unsigned int)narrow<bfloat16>(high).bits << 16;
}

// The 16-bit elements `index` of x and y.
__device__ __forceinline__ unsigned int pick(const uint4& x, const uint4& y, int index) {
    const unsigned int words[2][4] = {{x.x, x.y, x.z, x.w}, {y.x, y.y, y.z, y.w}};
    const unsigned int a = words[0][index / 2];
    const unsigned int b = words[1][index / 2];
    return index % 2 == 0 ? (a & 0xffff) | b << 16 : a >> 16 | (b & 0xffff0000);
}

__device__ __forceinline__ uint4 load(const bfloat16* from, bool wanted) {
    return wanted ? *reinterpret_cast<const uint4*>(from) : uint4{0, 0, 0, 0};
}

__device__ __forceinline__ float maxOfQuad(float value) {
    value = fmaxf(value, __shfl_xor_sync(ALL, value, 1));
    return fmaxf(value, __shfl_xor_sync(ALL, value, 2));
}

__device__ __forceinline__ float sumOfQuad(float value) {
    value += __shfl_xor_sync(ALL, value, 1);
    return value + __shfl_xor_sync(ALL, value, 2);
}

// Puts the queries of HEADS heads where multiply wants them; rows without a head are zero.
__device__ __forceinline__ void arrange(Shared& shared, const X_TYPE* q, float scale) {
    const int thread = threadIdx.y * WARP + threadIdx.x;
    for (int i = thread; i < KEY_PARTS * 2 * WARP; i += WARPS * WARP) {
        const int lane = i % WARP;
        const int step = i / WARP % 2;
        const int part = i / WARP / 2;
        unsigned int words[4];
#pragma unroll
        for (int w = 0; w < 4; ++w) {
            const int head = lane / 4 + w % 2 * 8;
            const int at = part * 32 + lane % 4 * 8 + step * 4 + w / 2 * 2;
            const X_TYPE* from = q + head * KEY_DIM + at;
            words[w] = head < HEADS ? pair(widen(from[0]) * scale, widen(from[1]) * scale) : 0;
        }
        shared.queries[part][step][lane] = {words[0], words[1], words[2], words[3]};
    }
    __syncthreads();
}

// q [B, KV, G, K], keys [B, KV, L, K], values [B, KV, L, V], held [B, L] the slots' positions, -1
// where nothing is held, positions [B] of the tokens, which see slots up to their position + 1;
// o [B, KV, G, V]; of at most P pieces, partial sums [B, KV, G, P, V] and, for each, maximum and
// weight [B, KV, G, P, 2]; arrived as finish says. Grid: P, B * KV * (G / HEADS). Block: 32, WARPS.
extern "C" __global__ void __launch_bounds__(WARP * WARPS) attend(
        const X_TYPE* q,
        const bfloat16* keys,
        const bfloat16* values,
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
    __shared__ Shared shared;
    const int lane = threadIdx.x;
    const int quad = lane / 4;  // a row, and eight below; or a column
    const int place = lane % 4;
    const int parts = heads / HEADS;
    const int part = blockIdx.y;
    const int sequence = part / (groups * parts);
    const long long group = part / parts;
    const long long firstHead = group * heads + part % parts * HEADS;
    const Share share = Share::of(positions[sequence], slots, gridDim.x);
    const int begin = blockIdx.x * share.length;
    const int end = min(share.slots, begin + share.length);
    if (begin >= end) {
        return;
    }
    const long long* row = held + (long long)sequence * slots;
    keys += group * slots * KEY_DIM;
    values += group * slots * VALUE_DIM;
    arrange(shared, q + firstHead * KEY_DIM, scale * LOG2_E);

    float most[2] = {NONE, NONE};
    float weight[2] = {0, 0};
    float sums[VALUE_PARTS][8][4] = {};
    for (int base = begin + threadIdx.y * KEYS; base < end; base += WARPS * KEYS) {
        // Which keys are there, as one bit each.
        const int own = base + lane % KEYS;
        const unsigned int seen = __ballot_sync(ALL, own < end && row[own] >= 0) & 0xffff;
        if (seen == 0) {
            continue;
        }
        float scores[2][4] = {};
#pragma unroll
        for (int part = 0; part < KEY_PARTS; ++part) {
            uint4 key[2];
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const int at = half * 8 + quad;
                key[half] =
                        load(keys + (long long)(base + at) * KEY_DIM + part * 32 + place * 8,
                             seen >> at & 1);
            }
            const uint4 first = shared.queries[part][0][lane];
            const uint4 second = shared.queries[part][1][lane];
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                multiply(scores[half], first, key[half].x, key[half].y);
                multiply(scores[half], second, key[half].z, key[half].w);
            }
        }
        float next[2] = {most[0], most[1]};
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            float& score = scores[i / 4][i % 4];
            const int at = i / 4 * 8 + place * 2 + i % 2;
            score = seen >> at & 1 ? score : NONE;
            next[i % 4 / 2] = fmaxf(next[i % 4 / 2], score);
        }
        float factors[2];
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            next[r] = maxOfQuad(next[r]);
            factors[r] = exp2f(most[r] - next[r]);
            most[r] = next[r];
            weight[r] *= factors[r];
        }
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            float& score = scores[i / 4][i % 4];
            const int at = i / 4 * 8 + place * 2 + i % 2;
            score = seen >> at & 1 ? exp2f(score - most[i % 4 / 2]) : 0;
            weight[i % 4 / 2] += score;
        }
        const uint4 fractions = {
                pair(scores[0][0], scores[0][1]),
                pair(scores[0][2], scores[0][3]),
                pair(scores[1][0], scores[1][1]),
                pair(scores[1][2], scores[1][3])};
#pragma unroll
        for (int part = 0; part < VALUE_PARTS; ++part) {
            uint4 value[4];
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int at = i / 2 * 8 + place * 2 + i % 2;
                value[i] =
                        load(values + (long long)(base + at) * VALUE_DIM + part * 64 + quad * 8,
                             seen >> at & 1);
            }
#pragma unroll
            for (int tile = 0; tile < 8; ++tile) {
                float(&sum)[4] = sums[part][tile];
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    sum[i] *= factors[i / 2];
                }
                multiply(sum, fractions, pick(value[0], value[1], tile), pick(value[2], value[3], tile));
            }
        }
    }

    __syncthreads();  // queries make room for sums
    weight[0] = sumOfQuad(weight[0]);
    weight[1] = sumOfQuad(weight[1]);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
        const int head = quad + r * 8;
        if (head >= HEADS) {
            continue;
        }
        if (place == 0) {
            shared.merging.sums.mosts[threadIdx.y][head] = most[r];
            shared.merging.sums.weights[threadIdx.y][head] = weight[r];
        }
#pragma unroll
        for (int i = 0; i < VALUE_PARTS * 8 * 2; ++i) {
            const int part = i / 16;
            const int tile = i / 2 % 8;
            const int at = part * 64 + (place * 2 + i % 2) * 8 + tile;
            shared.merging.sums.values[threadIdx.y][head][at] = sums[part][tile][r * 2 + i % 2];
        }
    }
    finish(shared.merging, share, firstHead, o, partial, weights, arrived);
}
