// Neighbouring elements read and written at once, and the activations of gates.

// N neighbours as they lie in memory: at most 16 bytes, N even for bfloat16 unless it is 1.
template <typename T, int N>
struct Pack;

template <int N>
struct alignas(4 * N) Pack<float, N> {
    float values[N];

    __device__ __forceinline__ float get(int i) const { return values[i]; }

    __device__ __forceinline__ static Pack of(const float* from) {
        Pack pack;
#pragma unroll
        for (int i = 0; i < N; ++i) {
            pack.values[i] = from[i];
        }
        return pack;
    }
};

template <int N>
struct alignas(2 * N) Pack<bfloat16, N> {
    unsigned int pairs[N / 2];

    __device__ __forceinline__ float get(int i) const {
        const unsigned int pair = pairs[i / 2];
        return __uint_as_float(i % 2 == 0 ? pair << 16 : pair & 0xffff0000u);
    }

    __device__ __forceinline__ static Pack of(const float* from) {
        Pack pack;
#pragma unroll
        for (int i = 0; i < N / 2; ++i) {
            pack.pairs[i] = pairOf(from[2 * i], from[2 * i + 1]);
        }
        return pack;
    }
};

template <>
struct Pack<bfloat16, 1> {
    bfloat16 value;

    __device__ __forceinline__ float get(int) const { return widen(value); }

    __device__ __forceinline__ static Pack of(const float* from) {
        return {narrow<bfloat16>(from[0])};
    }
};

template <int N, typename T>
__device__ __forceinline__ Pack<T, N> read(const T* from) {
    return *reinterpret_cast<const Pack<T, N>*>(from);
}

template <int N, typename T>
__device__ __forceinline__ void write(T* to, const float* values) {
    *reinterpret_cast<Pack<T, N>*>(to) = Pack<T, N>::of(values);
}

constexpr float LOG2_E = 1.44269504f;

// e^x, 0 where it is subnormal.
__device__ __forceinline__ float exponential(float x) { return powerOfTwo(x * LOG2_E); }

// The sigmoid of x from -x log2(e), which a caller may have scaled and biased in one.
__device__ __forceinline__ float sigmoidOfPower(float power) {
    return reciprocal(1.0f + powerOfTwo(power));
}

// A gate and what is missing to 1, both without cancellation.
struct Sigmoid {
    float value;
    float rest;

    __device__ __forceinline__ static Sigmoid ofPower(float power) {
        // Beyond it is as good as 0, and the power still finite.
        const float e = powerOfTwo(fminf(power, 115.0f));
        const float value = reciprocal(1.0f + e);
        return {value, e * value};
    }

    __device__ __forceinline__ static Sigmoid of(float x) { return ofPower(-LOG2_E * x); }
};
