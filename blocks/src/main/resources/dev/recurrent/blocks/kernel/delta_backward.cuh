// What the kernels of the delta rule's backward share: how they cut their work, and how matrices
// that pass from one to another lie in memory. After tiles.cuh.
//
// Constants
//   TYPE                 element type of q, k, v and the gradient of o
//   KEY_DIM, VALUE_DIM   K <= 256 and V, any
//   BETA, DECAY          whether there are beta and g
//   ALIGNED              whether rows of q, k and v begin at multiples of 16 bytes
//   WARPS, LOADERS       warps of a block of the kernels that go from chunk to chunk: those that
//                        compute, and those that load tiles for them; 0 if all do both
//   STAGES               chunks that such a block has in shared memory: one that it computes, and
//                        others that it loads meanwhile
//
// Matrices of these kernels alone are stored in blocks of 8x8 elements, row by row within a block
// and block by block within eight rows: a warp writes one as it holds it, 8 rows at once.

// Tokens of a chunk.
constexpr int CHUNK = 64;

// Columns of q and k that one warp of `inputs` takes, and all of them, with zeros at the end.
constexpr int COLUMN_WARPS = (KEY_DIM + 63) / 64;
constexpr int COLUMNS = ((KEY_DIM + COLUMN_WARPS - 1) / COLUMN_WARPS + 15) / 16 * 16;
constexpr int KEYS = COLUMN_WARPS * COLUMNS;

// V, with zeros at the end.
constexpr int VALUES = (VALUE_DIM + 15) / 16 * 16;

constexpr int VECTOR = 16 / sizeof(TYPE);

// A lower triangular [CHUNK, CHUNK] is kept as its tiles of 16x16, one below the other: (0, 0),
// (1, 0), (1, 1), (2, 0), ...
constexpr int TRIANGLE_ROWS = 160;

__host__ __device__ constexpr int triangle(int i, int j) { return (i * (i + 1) / 2 + j) * 16; }

__device__ __forceinline__ int tileRow(int tile) {
    return tile < 1 ? 0 : tile < 3 ? 1 : tile < 6 ? 2 : 3;
}

// Of each chunk and value head, what g, beta and the positions come to. Strengths, and what is kept
// from the start and to the end, are zero at padding and beyond the last token.
enum Factor {
    FROM_START = 0,              // what is kept of the state that enters the chunk
    WRITTEN = CHUNK,             // what is kept until the chunk's end, times beta
    ACROSS = 2 * CHUNK,          // what the chunk keeps of the state that enters it
    SCAN_FACTORS = ACROSS + 16,  // so many go from chunk to chunk
    TO_END = SCAN_FACTORS,       // what is kept until the chunk's end
    STRENGTH = TO_END + CHUNK,   // beta, or one
    SUM = STRENGTH + CHUNK,      // of g since the chunk's start,
    REST = SUM + CHUNK,          // and what a float of it lacks
    DOCUMENT = REST + CHUNK,     // starts of documents in the chunk so far; -1 at padding
    FACTORS = DOCUMENT + CHUNK
};

// What token j has left at token i >= j.
__device__ __forceinline__ float pairDecay(const float* factors, int i, int j) {
    const float document = factors[DOCUMENT + i];
    if (document < 0 || document != factors[DOCUMENT + j]) {
        return 0;
    }
    return DECAY ? expf((factors[SUM + i] - factors[SUM + j]) + (factors[REST + i] - factors[REST + j]))
                 : 1.0f;
}

// Multiplies what stands at each depth.
__device__ __forceinline__ void scaleDepth(
        Operand<TYPE>& operand, const float* factor, float scale = 1) {
    float first[4];
    float second[4];
    operand.give(first, second);
    const int at = laneIndex() % 4 * 2;
#pragma unroll
    for (int e = 0; e < 4; ++e) {
        first[e] *= scale * factor[at + e % 2];
        second[e] *= scale * factor[at + 8 + e % 2];
    }
    operand.take(first, second);
}

template <int N>
__device__ __forceinline__ void scaleColumns(
        Accumulator<N>& sums, const float* factor, float scale = 1) {
#pragma unroll
    for (int n = 0; n < N; ++n) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
            sums.at[n][e] *= scale * factor[sums.column(n, e)];
        }
    }
}

// Writes 16x16 sums into a matrix of blocks, COLUMNS of it a row. `row` and `column` are multiples
// of 8.
template <int COLUMNS>
__device__ __forceinline__ void storeBlocks(
        TYPE* matrix, int row, int column, const float (&first)[4], const float (&second)[4]) {
    TYPE* to = matrix + (long long)row * COLUMNS + column * 8 + laneIndex() * 2;
    storePair(to, first[0], first[1]);
    storePair(to + 64, second[0], second[1]);
    storePair(to + COLUMNS * 8, first[2], first[3]);
    storePair(to + COLUMNS * 8 + 64, second[2], second[3]);
}

// Starts to fill the first `rows` rows of a tile from a matrix of blocks, zeros below up to ROWS.
template <int ROWS, int THREADS, int COLUMNS>
__device__ __forceinline__ void fetchBlocks(
        const Tile<TYPE, COLUMNS>& tile, const TYPE* matrix, int rows, int thread) {
    constexpr int PARTS = 8 / VECTOR;
    constexpr int VECTORS = ROWS * COLUMNS / VECTOR;
#pragma unroll
    for (int i = 0; i < VECTORS; i += THREADS) {
        const int index = i + thread;
        if (VECTORS % THREADS == 0 || index < VECTORS) {
            const int block = index / (8 * PARTS);
            const int row = block / (COLUMNS / 8) * 8 + index / PARTS % 8;
            const int column = block % (COLUMNS / 8) * 8 + index % PARTS * VECTOR;
            const bool inside = row < rows;
            cp_async16(tile.row(row) + column, inside ? matrix + index * VECTOR : matrix, inside);
        }
    }
}

template <int THREADS>
__device__ __forceinline__ void fetchFactors(float* to, const float* from, int count, int thread) {
    for (int i = thread * 4; i < count; i += THREADS * 4) {
        cp_async16(to + i, from + i, true);
    }
}

// Writes sums [value, token] of a warp into rows of tokens, `stride` elements apart, but not beyond
// `tokens` and `values`. Neighbouring lanes swap so that each has neighbours of a row.
__device__ __forceinline__ void storeTokens(
        const Accumulator<CHUNK / 8>& sums, TYPE* to, long long stride, int tokens, int values) {
    const int lane = laneIndex();
    const bool odd = lane / 4 % 2;
    const int column = lane / 8 * 2;
    int token = lane % 4 * 2 + odd;
    TYPE* at = to + token * stride + column;
#pragma unroll
    for (int n = 0; n < CHUNK / 8; ++n) {
        const bool inside = token < tokens;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const float* pair = sums.at[n] + 2 * half;
            const float other = __shfl_xor_sync(~0u, odd ? pair[0] : pair[1], 4);
            const float first = odd ? other : pair[0];
            const float second = odd ? pair[1] : other;
            if (ALIGNED) {
                // Columns come in eights, of which the first are inside.
                if (inside && (half == 0 || 8 < values)) {
                    storePair(at + half * 8, first, second);
                }
            } else if (inside) {
                if (column + half * 8 < values) {
                    at[half * 8] = narrow<TYPE>(first);
                }
                if (column + half * 8 + 1 < values) {
                    at[half * 8 + 1] = narrow<TYPE>(second);
                }
            }
        }
        token += 8;
        at += 8 * stride;
    }
}

// Where tokens stand in a tensor [B, T, heads, size] that may be a view of a wider one.
struct Strides {
    long long row;
    long long token;
    long long head;

    __device__ __forceinline__ long long at(int i, int j, int k) const {
        return i * row + j * token + k * head;
    }
};

// Where a token stands in a tensor [B, T, heads, size] of its own.
__device__ __forceinline__ long long tokenAt(
        int row, int token, int head, int tokens, int heads, int size) {
    return (((long long)row * tokens + token) * heads + head) * size;
}

// A warp's transposed state [16 values, K] and its products with the chunk's tokens.
using StateRows = Accumulator<KEYS / 8>;
using TokenRows = Accumulator<CHUNK / 8>;

// Begins with rows `value` .. of a state [K, V] in fp32; zeros if there is none.
__device__ __forceinline__ void loadState(StateRows& state, const float* from, int value) {
#pragma unroll
    for (int n = 0; n < KEYS / 8; ++n) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
            const int v = value + state.row(e);
            const int k = state.column(n, e);
            const bool inside = from != nullptr && v < VALUE_DIM && k < KEY_DIM;
            state.at[n][e] = inside ? from[k * VALUE_DIM + v] : 0.0f;
        }
    }
}

__device__ __forceinline__ void storeState(const StateRows& state, float* to, int value) {
#pragma unroll
    for (int n = 0; n < KEYS / 8; ++n) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
            const int v = value + state.row(e);
            const int k = state.column(n, e);
            if (v < VALUE_DIM && k < KEY_DIM) {
                to[k * VALUE_DIM + v] = state.at[n][e];
            }
        }
    }
}

// sums = state keys^T, and the state itself written to `matrix` on the way, from row `value`.
__device__ __forceinline__ void readAndStore(
        TokenRows& sums,
        const StateRows& state,
        const Tile<TYPE, KEYS>& keys,
        TYPE* matrix,
        int value,
        bool reads) {
    sums.clear();
#pragma unroll
    for (int d = 0; d < KEYS / 16; ++d) {
        const float(&first)[4] = state.at[2 * d];
        const float(&second)[4] = state.at[2 * d + 1];
        storeBlocks<KEYS>(matrix, value, d * 16, first, second);
        if (reads) {
            Operand<TYPE> left;
            left.take(first, second);
#pragma unroll
            for (int n = 0; n < CHUNK / 16; ++n) {
                const RightOperand<TYPE> right = keys.right(n * 16, d * 16);
                multiply(sums.at[2 * n], sums.at[2 * n + 1], left, right);
            }
        }
    }
}

__device__ __forceinline__ void keep(StateRows& state, float factor) {
    // Without g, chunks that no document starts in keep all.
    if (factor != 1) {
#pragma unroll
        for (int n = 0; n < KEYS / 8; ++n) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                state.at[n][e] *= factor;
            }
        }
    }
}

// state += rows tokens, where rows are [16 values, CHUNK].
__device__ __forceinline__ void add(
        StateRows& state, const Operand<TYPE> (&rows)[CHUNK / 16], const Tile<TYPE, KEYS>& tokens) {
#pragma unroll
    for (int d = 0; d < CHUNK / 16; ++d) {
#pragma unroll
        for (int n = 0; n < KEYS / 16; ++n) {
            const RightOperand<TYPE> right = tokens.rightTransposed(n * 16, d * 16);
            multiply(state.at[2 * n], state.at[2 * n + 1], rows[d], right);
        }
    }
}

__device__ __forceinline__ void take(
        Operand<TYPE> (&rows)[CHUNK / 16], const TokenRows& sums) {
#pragma unroll
    for (int d = 0; d < CHUNK / 16; ++d) {
        rows[d].take(sums.at[2 * d], sums.at[2 * d + 1]);
    }
}
