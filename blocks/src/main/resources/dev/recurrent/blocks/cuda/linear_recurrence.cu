// The diagonal linear recurrence h_t = a_t h_{t-1} + x_t over [B, T, E], accumulated in fp32
// (arXiv 2402.19427, equation 4).
//
// A block owns 32 * VECTOR channels of one row and walks its segment of time in tiles. A tile is
// cut over the block's warps: each loads its STEPS tokens once, keeps them in registers, and tells
// the others through shared memory what it makes of a state, h -> decay * h + sum; folding what the
// warps before it told gives the state that it really starts from. Every order is fixed, so equal
// inputs give equal bits.
//
// Constants: X_TYPE, A_TYPE (float or bfloat16), VECTOR (channels a thread: 1, 2 or 4), STEPS
// (tokens a thread and tile), POSITIONS (1 if documents start or padding stands inside rows).

struct bfloat16 {
    unsigned short bits;
};

__device__ __forceinline__ float widen(float value) { return value; }

__device__ __forceinline__ float widen(bfloat16 value) {
    return __uint_as_float((unsigned int)value.bits << 16);
}

// One access to memory.
template <typename T>
struct alignas(sizeof(T) * VECTOR) Vector {
    T at[VECTOR];
};

typedef Vector<float> Channels;

constexpr int LANES = 32;
constexpr int MOST_WARPS = 16;

__device__ __forceinline__ Channels filled(float value) {
    Channels channels;
#pragma unroll
    for (int v = 0; v < VECTOR; ++v) {
        channels.at[v] = value;
    }
    return channels;
}

template <typename T>
__device__ __forceinline__ Channels load(const T* from) {
    Vector<T> raw = *reinterpret_cast<const Vector<T>*>(from);
    Channels channels;
#pragma unroll
    for (int v = 0; v < VECTOR; ++v) {
        channels.at[v] = widen(raw.at[v]);
    }
    return channels;
}

__device__ __forceinline__ void store(float* to, Channels channels) {
    *reinterpret_cast<Channels*>(to) = channels;
}

__device__ __forceinline__ Channels advance(Channels decay, Channels h, Channels x) {
#pragma unroll
    for (int v = 0; v < VECTOR; ++v) {
        h.at[v] = fmaf(decay.at[v], h.at[v], x.at[v]);
    }
    return h;
}

// Where the block and its thread stand.
struct Place {
    int channel;  // the first of VECTOR
    bool inside;  // whether there is such a channel
    long long row;
    int begin;  // of the segment
    int end;
    long long segment;  // among the segments of all rows

    __device__ Place(int length, int width, int segmentLength) {
        int groups = (width + LANES * VECTOR - 1) / (LANES * VECTOR);
        channel = (blockIdx.x % groups * LANES + threadIdx.x) * VECTOR;
        inside = channel < width;
        row = blockIdx.x / groups;
        begin = blockIdx.y * segmentLength;
        end = min(length, begin + segmentLength);
        segment = row * gridDim.y + blockIdx.y;
    }
};

// A warp's part of a tile.
struct Tokens {
    Channels x[STEPS];
    Channels decay[STEPS];

    __device__ __forceinline__ void read(
            const X_TYPE* xs,
            const A_TYPE* decays,
            const long long* positions,
            const Place& place,
            int first,
            int length,
            int width) {
#pragma unroll
        for (int i = 0; i < STEPS; ++i) {
            x[i] = filled(0);
            decay[i] = filled(1);
            if (place.inside && first + i < place.end) {
                long long token = place.row * length + first + i;
                x[i] = load(xs + token * width + place.channel);
                decay[i] = load(decays + token * width + place.channel);
            }
        }
#if POSITIONS
#pragma unroll
        for (int i = 0; i < STEPS; ++i) {
            if (first + i < place.end) {
                long long position = positions[place.row * length + first + i];
                if (position < 0) {
                    x[i] = filled(0);
                    decay[i] = filled(1);
                } else if (position == 0) {
                    decay[i] = filled(0);
                }
            }
        }
#endif
    }
};

// Walks a segment. Summing, it only finds what the segment makes of a state, and leaves the product
// of decays in `values` and the sum in `leaving`, both [B, segments, E]; else it starts from
// `entering` [B, segments, E], or zero without it, writes h to `values` [B, T, E] and the last of
// a row to `leaving` [B, E].
template <bool SUMMING>
__device__ __forceinline__ void walk(
        const X_TYPE* xs,
        const A_TYPE* decays,
        const long long* positions,
        const float* entering,
        float* values,
        float* leaving,
        int length,
        int width,
        int segmentLength) {
    // Two of each, since a fast warp is already in the next tile while a slow one still reads.
    __shared__ Channels products[2][MOST_WARPS][LANES];
    __shared__ Channels sums[2][MOST_WARPS][LANES];
    const Place place(length, width, segmentLength);
    const int warp = threadIdx.y;
    const int warps = blockDim.y;
    Channels h = filled(0);
    Channels total = filled(1);
    if (!SUMMING && entering != nullptr && place.inside) {
        h = load(entering + place.segment * width + place.channel);
    }
    int buffer = 0;
    for (int tile = place.begin; tile < place.end; tile += warps * STEPS) {
        const int first = tile + warp * STEPS;
        Tokens tokens;
        tokens.read(xs, decays, positions, place, first, length, width);
        Channels product = filled(1);
        Channels sum = filled(0);
#pragma unroll
        for (int i = 0; i < STEPS; ++i) {
            sum = advance(tokens.decay[i], sum, tokens.x[i]);
            product = advance(tokens.decay[i], product, filled(0));
        }
        products[buffer][warp][threadIdx.x] = product;
        sums[buffer][warp][threadIdx.x] = sum;
        __syncthreads();
        Channels mine = h;
        for (int other = 0; other < warps; ++other) {
            if (other == warp) {
                mine = h;
            }
            h = advance(
                    products[buffer][other][threadIdx.x], h, sums[buffer][other][threadIdx.x]);
            if (SUMMING) {
                total = advance(products[buffer][other][threadIdx.x], total, filled(0));
            }
        }
        buffer ^= 1;
        if (!SUMMING) {
#pragma unroll
            for (int i = 0; i < STEPS; ++i) {
                mine = advance(tokens.decay[i], mine, tokens.x[i]);
                const int token = first + i;
                if (place.inside && token < place.end) {
                    store(values + (place.row * length + token) * width + place.channel, mine);
                    if (token == length - 1) {
                        store(leaving + place.row * width + place.channel, mine);
                    }
                }
            }
        }
    }
    if (SUMMING && warp == 0 && place.inside) {
        store(values + place.segment * width + place.channel, total);
        store(leaving + place.segment * width + place.channel, h);
    }
}

// Grid: rows * groups of channels, segments. Block: 32, warps.
extern "C" __global__ void __launch_bounds__(LANES * MOST_WARPS) scan(
        const X_TYPE* __restrict__ x,
        const A_TYPE* __restrict__ decay,
        const long long* __restrict__ positions,
        const float* __restrict__ entering,
        float* __restrict__ values,
        float* __restrict__ leaving,
        int length,
        int width,
        int segmentLength) {
    walk<false>(
            x, decay, positions, entering, values, leaving, length, width, segmentLength);
}

// Grid and block as for scan.
extern "C" __global__ void __launch_bounds__(LANES * MOST_WARPS) summarize(
        const X_TYPE* __restrict__ x,
        const A_TYPE* __restrict__ decay,
        const long long* __restrict__ positions,
        float* __restrict__ products,
        float* __restrict__ sums,
        int length,
        int width,
        int segmentLength) {
    walk<true>(x, decay, positions, nullptr, products, sums, length, width, segmentLength);
}

// From what the segments make of a state [B, segments, E] and the state that enters a row [B, E],
// or zero without it, the state that enters each segment. Grid: enough blocks for B * E threads.
extern "C" __global__ void carry(
        const float* __restrict__ products,
        const float* __restrict__ sums,
        const float* __restrict__ state,
        float* __restrict__ entering,
        int rows,
        int segments,
        int width) {
    const long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= (long long)rows * width) {
        return;
    }
    float h = state == nullptr ? 0 : state[at];
    long long cell = at / width * segments * width + at % width;
    for (int segment = 0; segment < segments; ++segment, cell += width) {
        entering[cell] = h;
        h = fmaf(products[cell], h, sums[cell]);
    }
}
