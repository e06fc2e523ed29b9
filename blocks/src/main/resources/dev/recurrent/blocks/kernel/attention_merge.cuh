// What steps of attention have in common: how the slots of a cache are shared among blocks, and how
// what warps, and then blocks, made of their pieces becomes one softmax, always in the same order.
//
// Constants: X_TYPE (of the result), VALUE_DIM (V), HEADS (of a block), WARPS, LEAST (slots that a
// block looks at at a time; pieces are multiples of it).

constexpr int WARP = 32;
constexpr unsigned int ALL = 0xffffffffu;
constexpr float NONE = -1e30f;  // below all scores, and still a number
constexpr float LOG2_E = 1.44269504f;
constexpr int THREADS = WARP * WARPS;
constexpr int PAIR = VALUE_DIM % 2 == 0 ? 2 : 1;  // values of a thread
constexpr int MOST_PIECES = 128;

// How the slots that a token may see, those up to its position + 1, are shared.
struct Share {
    int slots;
    int length;  // of a piece
    int pieces;  // at least 1

    __device__ __forceinline__ static Share of(long long position, int slots, int mostPieces) {
        const unsigned int most = mostPieces;  // unsigned numbers divide faster
        const unsigned int seen = (unsigned int)min((long long)slots, max(position, -1ll) + 2);
        const unsigned int length = ((seen + most - 1) / most + LEAST - 1) / LEAST * LEAST;
        return {(int)seen, (int)length, (int)((seen + length - 1) / length)};
    }
};

// What each warp has of each head: values weighted by powers of two relative to the greatest score.
struct Sums {
    float values[WARPS][HEADS][VALUE_DIM];
    float mosts[WARPS][HEADS];
    float weights[WARPS][HEADS];
};

// A block's shared memory: first its own sums, later, if it merges pieces, what they count.
union __align__(16) Merging {
    Sums sums;
    float factors[HEADS][MOST_PIECES];
};

// Merges the warps of a block: with one piece into o [heads, V]; else into partial sums
// [heads, most, V] and, for each, the greatest score and the weight [heads, most, 2].
__device__ __forceinline__ void mergeWarps(
        const Sums& sums,
        int pieces,
        int most,
        long long firstHead,
        X_TYPE* o,
        float* partial,
        float* weights) {
    const int thread = threadIdx.y * WARP + threadIdx.x;
#pragma unroll 1
    for (int at = thread * PAIR; at < HEADS * VALUE_DIM; at += THREADS * PAIR) {
        const int h = at / VALUE_DIM;
        const int i = at % VALUE_DIM;
        float greatest = NONE;
#pragma unroll
        for (int w = 0; w < WARPS; ++w) {
            greatest = fmaxf(greatest, sums.mosts[w][h]);
        }
        float weight = 0;
        float both[PAIR] = {};
#pragma unroll
        for (int w = 0; w < WARPS; ++w) {
            const float factor = exp2f(sums.mosts[w][h] - greatest);
            weight = fmaf(factor, sums.weights[w][h], weight);
#pragma unroll
            for (int e = 0; e < PAIR; ++e) {
                both[e] = fmaf(factor, sums.values[w][h][i + e], both[e]);
            }
        }
        const long long head = firstHead + h;
        if (pieces == 1) {
            const float scale = weight > 0 ? 1 / weight : 0;
#pragma unroll
            for (int e = 0; e < PAIR; ++e) {
                o[head * VALUE_DIM + i + e] = narrow<X_TYPE>(both[e] * scale);
            }
            continue;
        }
        const long long piece = head * most + blockIdx.x;
#pragma unroll
        for (int e = 0; e < PAIR; ++e) {
            partial[piece * VALUE_DIM + i + e] = both[e];
        }
        if (i == 0) {
            weights[2 * piece] = greatest;
            weights[2 * piece + 1] = weight;
        }
    }
}

// What each of a head's pieces counts in its softmax, 0 beyond the last one: a warp's work. A head
// that sees nothing gets zeros.
__device__ __forceinline__ void weigh(const float* weights, int pieces, float* factors) {
    constexpr int EACH = MOST_PIECES / WARP;
    float2 own[EACH];
    float greatest = NONE;
#pragma unroll
    for (int j = 0; j < EACH; ++j) {
        const int p = j * WARP + threadIdx.x;
        own[j] = {NONE, 0};
        if (p < pieces) {
            own[j] = latest(reinterpret_cast<const float2*>(weights) + p);
        }
        greatest = fmaxf(greatest, own[j].x);
    }
#pragma unroll
    for (int distance = WARP / 2; distance > 0; distance /= 2) {
        greatest = fmaxf(greatest, __shfl_xor_sync(ALL, greatest, distance));
    }
    float weight = 0;
#pragma unroll
    for (int j = 0; j < EACH; ++j) {
        own[j].x = exp2f(own[j].x - greatest);
        weight = fmaf(own[j].x, own[j].y, weight);
    }
#pragma unroll
    for (int distance = WARP / 2; distance > 0; distance /= 2) {
        weight += __shfl_xor_sync(ALL, weight, distance);
    }
    const float scale = weight > 0 ? 1 / weight : 0;
#pragma unroll
    for (int j = 0; j < EACH; ++j) {
        factors[j * WARP + threadIdx.x] = own[j].x * scale;
    }
}

// Merges what blocks left of the pieces of COUNT heads from the first one.
template <int COUNT>
__device__ __forceinline__ void mergePieces(
        float (*factors)[MOST_PIECES],
        int pieces,
        int most,
        long long firstHead,
        X_TYPE* o,
        const float* partial,
        const float* weights) {
    constexpr int AHEAD = 16;  // loads under way, a divisor of MOST_PIECES
    for (int h = threadIdx.y; h < COUNT; h += WARPS) {
        weigh(weights + 2 * (firstHead + h) * most, pieces, factors[h]);
    }
    __syncthreads();
    const int thread = threadIdx.y * WARP + threadIdx.x;
#pragma unroll 1
    for (int at = thread * PAIR; at < COUNT * VALUE_DIM; at += THREADS * PAIR) {
        const int h = at / VALUE_DIM;
        const int i = at % VALUE_DIM;
        const float* from = partial + (firstHead + h) * most * VALUE_DIM + i;
        float sums[PAIR] = {};
        for (int first = 0; first < pieces; first += AHEAD) {
            float values[AHEAD][PAIR];
#pragma unroll
            for (int j = 0; j < AHEAD; ++j) {
                // Beyond the last piece the last one again, which counts nothing there.
                const int p = min(first + j, pieces - 1);
                if constexpr (PAIR == 2) {
                    const float2 pair =
                            latest(reinterpret_cast<const float2*>(from + p * VALUE_DIM));
                    values[j][0] = pair.x;
                    values[j][1] = pair.y;
                } else {
                    values[j][0] = latest(from + p * VALUE_DIM);
                }
            }
#pragma unroll
            for (int j = 0; j < AHEAD; ++j) {
                const float factor = factors[h][first + j];
#pragma unroll
                for (int e = 0; e < PAIR; ++e) {
                    sums[e] = fmaf(factor, values[j][e], sums[e]);
                }
            }
        }
#pragma unroll
        for (int e = 0; e < PAIR; ++e) {
            o[(firstHead + h) * VALUE_DIM + i + e] = narrow<X_TYPE>(sums[e]);
        }
    }
}

// The end of a block's step, after its warps have left their sums: one piece is the result; of
// several the last block makes it if blocks count their arrival [blocks of y], else `combine` does.
__device__ __forceinline__ void finish(
        Merging& shared,
        const Share& share,
        long long firstHead,
        X_TYPE* o,
        float* partial,
        float* weights,
        unsigned int* arrived) {
    __syncthreads();
    mergeWarps(shared.sums, share.pieces, gridDim.x, firstHead, o, partial, weights);
    if (share.pieces == 1 || arrived == nullptr) {
        return;
    }
    if (arrivesLast(arrived + blockIdx.y, share.pieces)) {
        mergePieces<HEADS>(shared.factors, share.pieces, gridDim.x, firstHead, o, partial, weights);
    }
}

// Merges what blocks left where that is too much for the last one; there is room for `most` pieces
// of each head, and a row has `heads` heads. Grid: B * KV * G. Block: 32, WARPS.
extern "C" __global__ void __launch_bounds__(THREADS) combine(
        const float* partial,
        const float* weights,
        const long long* positions,
        X_TYPE* o,
        int heads,
        int slots,
        int most) {
    letNextBegin();
    awaitPrevious();
    __shared__ float factors[1][MOST_PIECES];
    const Share share = Share::of(positions[blockIdx.x / heads], slots, most);
    if (share.pieces > 1) {
        mergePieces<1>(factors, share.pieces, most, blockIdx.x, o, partial, weights);
    }
}
