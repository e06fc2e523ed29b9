// Rows of elements, VECTOR at a time: how they are read and written, and sums over threads.

constexpr int LANES = 32;

template <typename T, int N>
struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) Pack {
    T items[N];
};

template <int N, typename T>
__device__ __forceinline__ Pack<T, N> load(const T* from) {
    return *reinterpret_cast<const Pack<T, N>*>(from);
}

template <int N, typename T>
__device__ __forceinline__ void widen(const Pack<T, N>& pack, float (&values)[N]) {
#pragma unroll
    for (int i = 0; i < N; ++i) {
        values[i] = widen(pack.items[i]);
    }
}

template <int N, typename T>
__device__ __forceinline__ void store(T* to, const float (&values)[N]) {
    Pack<T, N> pack;
#pragma unroll
    for (int i = 0; i < N; ++i) {
        pack.items[i] = narrow<T>(values[i]);
    }
    *reinterpret_cast<Pack<T, N>*>(to) = pack;
}

__device__ __forceinline__ float sigmoid(float value) {
    return __fdividef(1.0f, 1.0f + __expf(-value));
}

__device__ __forceinline__ float sumOfWarp(float value) {
#pragma unroll
    for (int distance = LANES / 2; distance > 0; distance /= 2) {
        value += __shfl_xor_sync(0xffffffffu, value, distance);
    }
    return value;
}
