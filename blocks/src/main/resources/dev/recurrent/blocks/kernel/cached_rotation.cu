// Rotates queries and keys of one token a row, and writes keys and values into a cache where the
// token's position, which is read on the device, says: so a launch can be replayed.
//
// Constants: Q_TYPE, X_TYPE (of keys and values), CACHE_TYPE (each float or bfloat16), KEY_DIM (K),
// VALUE_DIM (V), ROTARY_DIM (R: even, 0 for no rotation), THREADS.

constexpr int HALF = ROTARY_DIM / 2;
constexpr int PLANES = (HALF + THREADS - 1) / THREADS;  // of a thread
constexpr int OTHERS = (KEY_DIM - ROTARY_DIM + THREADS - 1) / THREADS;

// A thread's part of a head: planes (i, i + R/2), which turn by position * theta^(-2i/R), and other
// dimensions, which stay. All that does not need the position is done before it is there.
template <typename T>
struct Head {
    T left[PLANES + 1];  // at least one
    T right[PLANES + 1];
    T others[OTHERS + 1];
    float frequencies[PLANES + 1];

    __device__ __forceinline__ void load(const T* from, double exponent) {
#pragma unroll
        for (int p = 0; p < PLANES; ++p) {
            const int i = min(p * THREADS + (int)threadIdx.x, HALF - 1);
            left[p] = from[i];
            right[p] = from[i + HALF];
        }
#pragma unroll
        for (int p = 0; p < OTHERS; ++p) {
            others[p] = from[min(ROTARY_DIM + p * THREADS + (int)threadIdx.x, KEY_DIM - 1)];
        }
#pragma unroll
        for (int p = 0; p < PLANES; ++p) {
            frequencies[p] = frequency(exponent, p * THREADS + (int)threadIdx.x);
        }
    }

    // Results are rounded to their own type before they go into another.
    template <typename TO>
    __device__ __forceinline__ void store(TO* __restrict__ to, long long position) const {
#pragma unroll
        for (int p = 0; p < PLANES; ++p) {
            const int i = p * THREADS + threadIdx.x;
            const Plane plane = {widen(left[p]), widen(right[p])};
            float cosine;
            float sine;
            sincosf((float)position * frequencies[p], &sine, &cosine);
            const Plane turned = plane.turned(cosine, sine);
            if (i < HALF) {
                to[i] = narrow<TO>(widen(narrow<T>(turned.left)));
                to[i + HALF] = narrow<TO>(widen(narrow<T>(turned.right)));
            }
        }
#pragma unroll
        for (int p = 0; p < OTHERS; ++p) {
            const int i = ROTARY_DIM + p * THREADS + threadIdx.x;
            if (i < KEY_DIM) {
                to[i] = narrow<TO>(widen(others[p]));
            }
        }
    }
};

// Says which position a slot holds; a token at position 0 empties its row first.
__device__ __forceinline__ void hold(
        long long* __restrict__ held, int slots, long long slot, long long position) {
    if (position == 0) {
        for (int s = threadIdx.x; s < slots; s += blockDim.x) {
            held[s] = s == slot ? 0 : -1;
        }
    } else if (threadIdx.x == 0) {
        held[slot] = position;
    }
}

// Slot 0 is nobody's, and takes padding (position -1); a token at position p has slot 1 + p, or
// 1 + p mod W with a window (0: none); one for which there is no slot is not written.
// q [B, H, K], k [B, KV, K], v [B, KV, V], each head dense, strides in elements; positions [B];
// y [B, H, K] rotated queries; keys [B, KV, L, K], values [B, KV, L, V], held [B, L].
// Grid: B, KV keys, KV values and H queries, or no queries. Block: THREADS.
extern "C" __global__ void __launch_bounds__(THREADS) rotate_and_append(
        const Q_TYPE* q,
        const X_TYPE* k,
        const X_TYPE* v,
        const long long* positions,
        Q_TYPE* y,
        CACHE_TYPE* keys,
        CACHE_TYPE* values,
        long long* held,
        long long queryRow,
        long long queryHead,
        long long keyRow,
        long long keyHead,
        long long valueRow,
        long long valueHead,
        int groups,
        int slots,
        int window,
        double exponent) {
    letNextBegin();
    const long long row = blockIdx.x;
    const int part = blockIdx.y;
    awaitPrevious();
    const long long position = positions[row];
    if (part >= 2 * groups) {
        const int heads = gridDim.y - 2 * groups;
        const int head = part - 2 * groups;
        Head<Q_TYPE> query;
        query.load(q + row * queryRow + head * queryHead, exponent);
        query.store(y + (row * heads + head) * KEY_DIM, position);
        return;
    }
    Head<X_TYPE> key;
    if (part < groups) {
        key.load(k + row * keyRow + part * keyHead, exponent);
    }
    const long long slot = position < 0 ? 0 : 1 + (window > 0 ? position % window : position);
    if (slot >= slots) {
        return;
    }
    if (part < groups) {
        key.store(keys + ((row * groups + part) * slots + slot) * KEY_DIM, position);
        return;
    }
    const int group = part - groups;
    const X_TYPE* from = v + row * valueRow + group * valueHead;
    CACHE_TYPE* to = values + ((row * groups + group) * slots + slot) * VALUE_DIM;
    for (int i = threadIdx.x; i < VALUE_DIM; i += blockDim.x) {
        to[i] = narrow<CACHE_TYPE>(widen(from[i]));
    }
    if (group == 0) {
        hold(held + row * slots, slots, slot, position);
    }
}
