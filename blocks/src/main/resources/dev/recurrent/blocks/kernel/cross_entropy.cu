// The cross-entropy of rows of logits: loss = lse - logits[label] with lse = log(sum(exp(logits))),
// in fp32, and its backward. A block reads a row once: every thread keeps a maximum and the sum of
// exponentials relative to it (arXiv 1805.02867), and these are put together in a fixed order.
// Rows of ignored labels are not read: loss and lse are 0, and so are their gradients.
//
// Constants: TYPE (float or bfloat16), VECTOR (elements of 16 bytes), WARPS, ITEMS (packs a thread
// has under way).
// Grid: rows. Block: THREADS.

constexpr int THREADS = LANES * WARPS;
constexpr int PACKS = THREADS * ITEMS;  // of a block at a time
constexpr float LOWEST = -3.402823466e38f;

// A sum of exponentials: sum exp(maximum).
struct Exponentials {
    float maximum;
    float sum;
};

__device__ __forceinline__ Exponentials joined(Exponentials a, Exponentials b) {
    const float maximum = fmaxf(a.maximum, b.maximum);
    return {maximum, a.sum * __expf(a.maximum - maximum) + b.sum * __expf(b.maximum - maximum)};
}

template <int N>
__device__ __forceinline__ void add(Exponentials& all, const float (&values)[N]) {
    float maximum = all.maximum;
#pragma unroll
    for (int i = 0; i < N; ++i) {
        maximum = fmaxf(maximum, values[i]);
    }
    float sum = all.sum * __expf(all.maximum - maximum);
#pragma unroll
    for (int i = 0; i < N; ++i) {
        sum += __expf(values[i] - maximum);
    }
    all = {maximum, sum};
}

__device__ __forceinline__ Exponentials ofWarp(Exponentials value) {
#pragma unroll
    for (int distance = LANES / 2; distance > 0; distance /= 2) {
        value = joined(
                value,
                {__shfl_xor_sync(0xffffffffu, value.maximum, distance),
                 __shfl_xor_sync(0xffffffffu, value.sum, distance)});
    }
    return value;
}

__device__ __forceinline__ Exponentials ofBlock(Exponentials value) {
    __shared__ Exponentials warps[WARPS];
    value = ofWarp(value);
    const int lane = threadIdx.x % LANES;
    if (lane == 0) {
        warps[threadIdx.x / LANES] = value;
    }
    __syncthreads();
    return ofWarp(lane < WARPS ? warps[lane] : Exponentials{LOWEST, 0});
}

// Elements before the first that packs can be read from: rows of odd length begin anywhere.
__device__ __forceinline__ int ahead(const TYPE* row, int size) {
    const int misaligned = (unsigned long long)row % 16 / sizeof(TYPE);
    return min(size, (VECTOR - misaligned) % VECTOR);
}

extern "C" __global__ void __launch_bounds__(THREADS) cross_entropy(
        const TYPE* __restrict__ logits,
        const long long* __restrict__ labels,
        float* __restrict__ losses,
        float* __restrict__ lses,
        int size,
        long long ignored) {
    const long long label = labels[blockIdx.x];
    if (label == ignored) {
        if (threadIdx.x == 0) {
            losses[blockIdx.x] = 0;
            lses[blockIdx.x] = 0;
        }
        return;
    }
    const TYPE* row = logits + (long long)blockIdx.x * size;
    Exponentials sum = {LOWEST, 0};
    const int head = ahead(row, size);
    const int packs = (size - head) / VECTOR;
    const int tail = head + packs * VECTOR;
    for (int first = threadIdx.x; first < packs; first += PACKS) {
        Pack<TYPE, VECTOR> read[ITEMS];
#pragma unroll
        for (int i = 0; i < ITEMS; ++i) {
            if (first + i * THREADS < packs) {
                read[i] = load<VECTOR>(row + head + (first + i * THREADS) * VECTOR);
            }
        }
#pragma unroll
        for (int i = 0; i < ITEMS; ++i) {
            if (first + i * THREADS < packs) {
                float values[VECTOR];
                widen(read[i], values);
                add(sum, values);
            }
        }
    }
    for (int at = threadIdx.x; at < head + size - tail; at += THREADS) {
        const float value[1] = {widen(row[at < head ? at : at - head + tail])};
        add(sum, value);
    }
    sum = ofBlock(sum);
    if (threadIdx.x == 0) {
        const float lse = sum.maximum + logf(sum.sum);
        losses[blockIdx.x] = lse - widen(row[label]);
        lses[blockIdx.x] = lse;
    }
}

// dlogits = softmax(logits) (dloss + dlse) - [label] dloss. `dlosses` and `dlses` may be null.
extern "C" __global__ void __launch_bounds__(THREADS) cross_entropy_backward(
        const TYPE* __restrict__ logits,
        const long long* __restrict__ labels,
        const float* __restrict__ lses,
        const float* __restrict__ dlosses,
        const float* __restrict__ dlses,
        TYPE* __restrict__ dlogits,
        int size,
        long long ignored) {
    const long long label = labels[blockIdx.x];
    const bool counts = label != ignored;
    const float dloss = counts && dlosses ? dlosses[blockIdx.x] : 0;
    const float scale = dloss + (counts && dlses ? dlses[blockIdx.x] : 0);
    const float lse = lses[blockIdx.x];
    const TYPE* row = logits + (long long)blockIdx.x * size;
    TYPE* drow = dlogits + (long long)blockIdx.x * size;
    const auto gradient = [&](float value, int at) {
        return (counts ? __expf(value - lse) * scale : 0) - (at == label ? dloss : 0);
    };
    const bool together = ((unsigned long long)row - (unsigned long long)drow) % 16 == 0;
    const int head = together ? ahead(row, size) : size;
    const int packs = (size - head) / VECTOR;
    const int tail = head + packs * VECTOR;
    for (int first = threadIdx.x; first < packs; first += PACKS) {
        Pack<TYPE, VECTOR> read[ITEMS] = {};
#pragma unroll
        for (int i = 0; i < ITEMS; ++i) {
            if (first + i * THREADS < packs && counts) {
                read[i] = load<VECTOR>(row + head + (first + i * THREADS) * VECTOR);
            }
        }
#pragma unroll
        for (int i = 0; i < ITEMS; ++i) {
            const int at = head + (first + i * THREADS) * VECTOR;
            if (first + i * THREADS < packs) {
                float values[VECTOR];
                widen(read[i], values);
#pragma unroll
                for (int j = 0; j < VECTOR; ++j) {
                    values[j] = gradient(values[j], at + j);
                }
                store(drow + at, values);
            }
        }
    }
    for (int i = threadIdx.x; i < head + size - tail; i += THREADS) {
        const int at = i < head ? i : i - head + tail;
        drow[at] = narrow<TYPE>(gradient(counts ? widen(row[at]) : 0, at));
    }
}
