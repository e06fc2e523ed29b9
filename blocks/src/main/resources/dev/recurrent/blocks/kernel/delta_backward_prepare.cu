// The backward of the delta rule, 1 of 4: what chunks are, each for itself. With D the decay between
// pairs of a chunk's tokens, for every chunk and value head,
//
//   scores    P = tril(scale Q Kt * D) diag(beta)
//   inverses  (I + tril(K Kt * D, -1) diag(beta))^-1, transposed
//   factors   what g, beta and the positions come to
//
// The inverse is computed in fp32: of its four 16x16 tiles on the diagonal by substitution, a thread
// a column; then down each column of tiles by one warp, which keeps that column in registers.
//
// Constants and layouts: delta_backward.cuh. scores and inverses are triangles.
// Grid: chunks, B HV; blocks of 128 threads.

constexpr int THREADS = 128;

struct Shared {
    Tile<TYPE, KEYS> queries;
    Tile<TYPE, KEYS> keys;
    Tile<float, CHUNK> system;  // where queries were
    Tile<float, 16> diagonal;
    float* factors;

    static constexpr int TOKEN_BYTES = Tile<TYPE, KEYS>::bytes(CHUNK);
    static constexpr int SYSTEM_BYTES = Tile<float, CHUNK>::bytes(CHUNK);
    static constexpr int KEYS_AT = TOKEN_BYTES > SYSTEM_BYTES ? TOKEN_BYTES : SYSTEM_BYTES;
    static constexpr int DIAGONAL_AT = KEYS_AT + TOKEN_BYTES;
    static constexpr int FACTORS_AT = DIAGONAL_AT + Tile<float, 16>::bytes(CHUNK);

    __device__ explicit Shared(char* memory)
        : queries{reinterpret_cast<TYPE*>(memory)},
          keys{reinterpret_cast<TYPE*>(memory + KEYS_AT)},
          system{reinterpret_cast<float*>(memory)},
          diagonal{reinterpret_cast<float*>(memory + DIAGONAL_AT)},
          factors(reinterpret_cast<float*>(memory + FACTORS_AT)) {}
};

// Of each kind, the tiles that a warp takes.
constexpr int TILES = (10 + THREADS / 32 - 1) / (THREADS / 32);

// Makes scores and the system to invert of a tile's products.
__device__ __forceinline__ void weigh(
        Accumulator<2>& scores,
        Accumulator<2>& overlaps,
        const float* factors,
        int i,
        int j,
        float scale) {
#pragma unroll
    for (int n = 0; n < 2; ++n) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
            const int from = j * 16 + scores.column(n, e);
            const int to = i * 16 + scores.row(e);
            const float decay = from <= to ? pairDecay(factors, to, from) : 0.0f;
            const float factor = decay * factors[STRENGTH + from];
            scores.at[n][e] *= scale * factor;
            overlaps.at[n][e] *= from < to ? factor : 0.0f;
        }
    }
}

// One warp, two tokens a lane. Sums are kept in double: their differences matter, not they.
__device__ void computeFactors(
        float* factors,
        const float* beta,
        const float* decay,
        const long long* positions,
        int stride,
        int tokens) {
    // Below this nothing is left in any float; an infinity would spoil differences.
    constexpr float LEAST = -10000.0f;
    const int lane = laneIndex();
    double sums[2];
    int documents[2];
    bool real[2];
    for (int i = 0; i < 2; ++i) {
        const int t = 2 * lane + i;
        const bool inside = t < tokens;
        const long long position = inside && positions != nullptr ? positions[t] : 1;
        real[i] = inside && position >= 0;
        documents[i] = real[i] && position == 0;
        sums[i] = DECAY && real[i] ? fmaxf(decay[(long long)t * stride], LEAST) : 0.0f;
    }
    sums[1] += sums[0];
    documents[1] += documents[0];
    double sum = sums[1];
    int document = documents[1];
    for (int step = 1; step < 32; step *= 2) {
        const double earlierSum = __shfl_up_sync(~0u, sum, step);
        const int earlierDocument = __shfl_up_sync(~0u, document, step);
        sum += lane >= step ? earlierSum : 0;
        document += lane >= step ? earlierDocument : 0;
    }
    sums[0] += sum - sums[1];
    sums[1] = sum;
    documents[0] += document - documents[1];
    documents[1] = document;
    const double total = __shfl_sync(~0u, sum, 31);
    const int last = __shfl_sync(~0u, document, 31);
    for (int i = 0; i < 2; ++i) {
        const int t = 2 * lane + i;
        const float high = (float)sums[i];
        factors[SUM + t] = high;
        factors[REST + t] = (float)(sums[i] - high);
        factors[DOCUMENT + t] = real[i] ? documents[i] : -1;
        factors[FROM_START + t] = real[i] && documents[i] == 0 ? expf(high) : 0.0f;
        const bool leaves = real[i] && documents[i] == last;
        const float toEnd = leaves ? expf((float)(total - sums[i])) : 0.0f;
        const float strength = !real[i] ? 0.0f : BETA ? beta[(long long)t * stride] : 1.0f;
        factors[TO_END + t] = toEnd;
        factors[STRENGTH + t] = strength;
        factors[WRITTEN + t] = toEnd * strength;
    }
    if (lane < SCAN_FACTORS - ACROSS) {
        factors[ACROSS + lane] = last == 0 ? expf((float)total) : 0.0f;
    }
}

// Inverts the tiles on the diagonal of I + system.
__device__ void invertDiagonal(const Tile<float, 16>& diagonal, const Tile<float, CHUNK>& system) {
    const int column = threadIdx.x % 16;
    const int begin = threadIdx.x / 16 * 16;
    float x[16];
#pragma unroll
    for (int i = 0; i < 16; ++i) {
        const float* row = system.row(begin + i) + begin;
        float sum = i == column ? 1.0f : 0.0f;
#pragma unroll
        for (int m = 0; m < i; ++m) {
            sum -= row[m] * x[m];
        }
        x[i] = sum;
        diagonal.row(begin + i)[column] = sum;
    }
}

// Column j of tiles: X(i, j) = -X(i, i) sum over j <= m < i of system(i, m) X(m, j), everything
// transposed, so that results are operands of what follows as they are.
__device__ void invertColumn(
        TYPE* inverses,
        const Tile<float, 16>& diagonal,
        const Tile<float, CHUNK>& system,
        int j) {
    Operand<float> column[4];
    column[0] = diagonal.transposed(0, j * 16);
    float first[4];
    float second[4];
    column[0].give(first, second);
    storeBlocks<16>(inverses, triangle(j, j), 0, first, second);
#pragma unroll
    for (int below = 1; below < 4; ++below) {
        const int i = j + below;
        if (i < 4) {
            Accumulator<2> sums;
            sums.clear();
#pragma unroll
            for (int m = 0; m < below; ++m) {
                multiply(sums.at[0], sums.at[1], column[m], system.right(i * 16, (j + m) * 16));
            }
            Operand<float> left;
            left.take(sums.at[0], sums.at[1]);
            sums.clear();
            multiply(sums.at[0], sums.at[1], left, diagonal.right(i * 16, 0));
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                first[e] = -sums.at[0][e];
                second[e] = -sums.at[1][e];
            }
            column[below].take(first, second);
            storeBlocks<16>(inverses, triangle(i, j), 0, first, second);
        }
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) prepare(
        const TYPE* __restrict__ q,
        const TYPE* __restrict__ k,
        const float* __restrict__ beta,
        const float* __restrict__ decay,
        const long long* __restrict__ positions,
        TYPE* __restrict__ scores,
        TYPE* __restrict__ inverses,
        float* __restrict__ factors,
        long long qRow,
        long long qToken,
        long long qHead,
        long long kRow,
        long long kToken,
        long long kHead,
        int tokens,
        int heads,
        int group,
        float scale) {
    const Shared shared(sharedMemory());
    const int thread = threadIdx.x;
    const int begin = blockIdx.x * CHUNK;
    const int rest = min(tokens - begin, CHUNK);
    const int valueHeads = heads * group;
    const int row = blockIdx.y / valueHeads;
    const int valueHead = blockIdx.y % valueHeads;
    const int head = valueHead / group;
    shared.queries.template fetch<CHUNK, THREADS, ALIGNED>(
            q + Strides{qRow, qToken, qHead}.at(row, begin, head), qToken, rest, KEY_DIM, thread);
    shared.keys.template fetch<CHUNK, THREADS, ALIGNED>(
            k + Strides{kRow, kToken, kHead}.at(row, begin, head), kToken, rest, KEY_DIM, thread);
    cp_async_commit();
    if (thread < 32) {
        computeFactors(
                shared.factors,
                BETA ? beta + tokenAt(row, begin, valueHead, tokens, valueHeads, 1) : nullptr,
                DECAY ? decay + tokenAt(row, begin, valueHead, tokens, valueHeads, 1) : nullptr,
                positions == nullptr ? nullptr : positions + (long long)row * tokens + begin,
                valueHeads,
                rest);
    }
    cp_async_wait<0>();
    __syncthreads();

    const long long chunk = (long long)blockIdx.y * gridDim.x + blockIdx.x;
    for (int i = thread; i < FACTORS; i += THREADS) {
        factors[chunk * FACTORS + i] = shared.factors[i];
    }
    scores += chunk * TRIANGLE_ROWS * 16;
    inverses += chunk * TRIANGLE_ROWS * 16;
    Accumulator<2> overlaps[TILES];
#pragma unroll
    for (int t = 0; t < TILES; ++t) {
        const int tile = thread / 32 + t * (THREADS / 32);
        if (tile < 10) {
            const int i = tileRow(tile);
            const int j = tile - i * (i + 1) / 2;
            Accumulator<2> sums;
            sums.clear();
            overlaps[t].clear();
#pragma unroll
            for (int d = 0; d < KEYS; d += 16) {
                const RightOperand<TYPE> right = shared.keys.right(j * 16, d);
                multiply(sums.at[0], sums.at[1], shared.queries.operand(i * 16, d), right);
                if (BETA) {
                    multiply(overlaps[t].at[0], overlaps[t].at[1],
                             shared.keys.operand(i * 16, d), right);
                }
            }
            weigh(sums, overlaps[t], shared.factors, i, j, scale);
            storeBlocks<16>(scores, tile * 16, 0, sums.at[0], sums.at[1]);
        }
    }
    if (BETA) {
        __syncthreads();
#pragma unroll
        for (int t = 0; t < TILES; ++t) {
            const int tile = thread / 32 + t * (THREADS / 32);
            if (tile < 10) {
                const int i = tileRow(tile);
                const int j = tile - i * (i + 1) / 2;
                store(overlaps[t], shared.system.at, shared.system.STRIDE, i * 16, j * 16);
            }
        }
        __syncthreads();
        if (thread < CHUNK) {
            invertDiagonal(shared.diagonal, shared.system);
        }
        __syncthreads();
        invertColumn(inverses, shared.diagonal, shared.system, thread / 32);
    }
}
