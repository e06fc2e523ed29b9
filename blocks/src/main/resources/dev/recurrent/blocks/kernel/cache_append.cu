// Writes the key and value of one token a row into a cache, where its position, which is read on the
// device, says: so a launch can be replayed.
//
// Constants: X_TYPE, CACHE_TYPE (each float or bfloat16).

// Slot 0 is nobody's, and takes padding (position -1); a token at position p has slot 1 + p, or
// 1 + p mod W with a window (0: none). A token at position 0 empties its row; one for which there is
// no slot is dropped. k [B, KV, K], v [B, KV, V], positions [B], keys [B, KV, L, K], values
// [B, KV, L, V], held [B, L]. Grid: B, KV. Block: any.
extern "C" __global__ void append(
        const X_TYPE* __restrict__ k,
        const X_TYPE* __restrict__ v,
        const long long* __restrict__ positions,
        CACHE_TYPE* __restrict__ keys,
        CACHE_TYPE* __restrict__ values,
        long long* __restrict__ held,
        int keyDim,
        int valueDim,
        int slots,
        int window) {
    const long long position = positions[blockIdx.x];
    const long long slot = position < 0 ? 0 : 1 + (window > 0 ? position % window : position);
    if (slot >= slots) {
        return;
    }
    const long long group = (long long)blockIdx.x * gridDim.y + blockIdx.y;
    for (int i = threadIdx.x; i < keyDim; i += blockDim.x) {
        keys[(group * slots + slot) * keyDim + i] =
                narrow<CACHE_TYPE>(widen(k[group * keyDim + i]));
    }
    for (int i = threadIdx.x; i < valueDim; i += blockDim.x) {
        values[(group * slots + slot) * valueDim + i] =
                narrow<CACHE_TYPE>(widen(v[group * valueDim + i]));
    }
    if (blockIdx.y > 0) {
        return;
    }
    long long* row = held + (long long)blockIdx.x * slots;
    if (position == 0) {
        for (int s = threadIdx.x; s < slots; s += blockDim.x) {
            row[s] = s == slot ? 0 : -1;
        }
    } else if (threadIdx.x == 0) {
        row[slot] = position;
    }
}
