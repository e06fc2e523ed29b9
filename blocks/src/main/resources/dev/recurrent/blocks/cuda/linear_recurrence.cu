// The diagonal linear recurrence h_t = a_t h_{t-1} + x_t over [B, T, E], accumulated in fp32
// (arXiv 2402.19427, equation 4).
//
// A block owns 32 channels of one row, a lane each, and walks its segment of time in tiles. A tile
// is cut over the block's warps: each keeps its STEPS tokens in registers, reads those of the next
// tile meanwhile, and tells the others through shared memory what it makes of a state,
// h -> product * h + sum; folding what the warps before it told gives the state that it really
// starts from. Every order is fixed, so equal inputs give equal bits.
//
// Constants: X_TYPE, A_TYPE (float or bfloat16), STEPS (at most 32), MOST_WARPS (of a block),
// POSITIONS (1 if documents start or padding stands inside rows).

constexpr int LANES = 32;

// Where the block and its thread stand.
struct Place {
    long long row;
    int channel;  // beyond the last, one to read in vain
    bool inside;  // whether there is such a channel, to be written too
    int begin;  // of the segment
    int end;
    long long state;  // the channel's place in [B, segments, E]

    __device__ Place(int length, int width, int segmentLength) {
        const int groups = (width + LANES - 1) / LANES;
        const int wanted = blockIdx.x % groups * LANES + threadIdx.x;
        row = blockIdx.x / groups;
        inside = wanted < width;
        channel = inside ? wanted : 0;
        begin = blockIdx.y * segmentLength;
        end = min(length, begin + segmentLength);
        state = (row * gridDim.y + blockIdx.y) * width + channel;
    }
};

// A warp's part of a tile as it lies in memory. It is read without a branch, what is beyond the end
// in vain, so that all loads are on their way before one is waited for.
struct Raw {
    X_TYPE x[STEPS];
    A_TYPE decay[STEPS];
#if POSITIONS
    long long position;  // of the token that is the lane's
#endif

    __device__ __forceinline__ void fetch(
            const X_TYPE* xs,
            const A_TYPE* decays,
            const long long* positions,
            const Place& place,
            int first,
            int length,
            int width) {
#pragma unroll
        for (int i = 0; i < STEPS; ++i) {
            const long long token = place.row * length + min(first + i, place.end - 1);
            x[i] = xs[token * width + place.channel];
            decay[i] = decays[token * width + place.channel];
        }
#if POSITIONS
        const int mine = min(first + (int)threadIdx.x, place.end - 1);
        position = positions[place.row * length + mine];
#endif
    }
};

// The same in fp32, with what positions and the segment's end make of it.
struct Tokens {
    float x[STEPS];
    float decay[STEPS];

    __device__ __forceinline__ Tokens(const Raw& raw, int first, int end) {
        unsigned int padding = 0;  // a bit for each token
        unsigned int beginning = 0;
#if POSITIONS
        padding = __ballot_sync(0xffffffffu, raw.position < 0);
        beginning = __ballot_sync(0xffffffffu, raw.position == 0);
#endif
#pragma unroll
        for (int i = 0; i < STEPS; ++i) {
            const bool real = first + i < end && !(padding >> i & 1);
            const bool starts = beginning >> i & 1;
            x[i] = real ? widen(raw.x[i]) : 0;
            decay[i] = !real ? 1 : starts ? 0 : widen(raw.decay[i]);
        }
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
    __shared__ float products[2][MOST_WARPS][LANES];
    __shared__ float sums[2][MOST_WARPS][LANES];
    const Place place(length, width, segmentLength);
    const int lane = threadIdx.x;
    const int warp = threadIdx.y;
    const int warps = blockDim.y;
    float h = !SUMMING && entering != nullptr ? entering[place.state] : 0;
    float total = 1;
    int buffer = 0;
    Raw raw;
    raw.fetch(xs, decays, positions, place, place.begin + warp * STEPS, length, width);
    for (int tile = place.begin; tile < place.end; tile += warps * STEPS) {
        const int first = tile + warp * STEPS;
        const Tokens tokens(raw, first, place.end);
        if (tile + warps * STEPS < place.end) {
            raw.fetch(xs, decays, positions, place, first + warps * STEPS, length, width);
        }
        float product = 1;
        float sum = 0;
#pragma unroll
        for (int i = 0; i < STEPS; ++i) {
            product *= tokens.decay[i];
            sum = fmaf(tokens.decay[i], sum, tokens.x[i]);
        }
        products[buffer][warp][lane] = product;
        sums[buffer][warp][lane] = sum;
        __syncthreads();
        float mine = h;
        for (int other = 0; other < warps; ++other) {
            mine = other == warp ? h : mine;
            h = fmaf(products[buffer][other][lane], h, sums[buffer][other][lane]);
            total *= products[buffer][other][lane];
        }
        buffer ^= 1;
        if (!SUMMING && place.inside) {
#pragma unroll
            for (int i = 0; i < STEPS; ++i) {
                const int token = first + i;
                mine = fmaf(tokens.decay[i], mine, tokens.x[i]);
                if (token < place.end) {
                    values[(place.row * length + token) * width + place.channel] = mine;
                }
                if (token == length - 1) {
                    leaving[place.row * width + place.channel] = mine;
                }
            }
        }
    }
    if (SUMMING && warp == 0 && place.inside) {
        values[place.state] = total;
        leaving[place.state] = h;
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
    walk<false>(x, decay, positions, entering, values, leaving, length, width, segmentLength);
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
