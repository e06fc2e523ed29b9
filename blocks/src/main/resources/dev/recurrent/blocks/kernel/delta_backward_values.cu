// The backward of the delta rule, 3 of 4: from the last chunk to the first, with dS the gradient of
// the state that leaves a chunk,
//
//   dU = Pt dO + diag(toEnd beta) K dS
//   dV = inverse^T dU                      (dU without beta)
//   dS <- across dS + scale Qt diag(fromStart) dO - Kt diag(fromStart) dV
//
// Warps keep 16 columns of dS each, transposed, as those of `states` keep S.
//
// Constants and layouts: delta_backward.cuh. leaving [B, HV, chunks, V, K] in blocks: dS of each
// chunk. dFinal and dInitial may be absent.
// Grid: slices of 16 WARPS values, B HV; blocks of 32 (WARPS + LOADERS) threads.

constexpr int THREADS = 32 * (WARPS + LOADERS);
constexpr int FETCHERS = LOADERS > 0 ? 32 * LOADERS : THREADS;
constexpr int SLICE = 16 * WARPS;

struct Stage {
    Tile<TYPE, KEYS> queries;
    Tile<TYPE, KEYS> keys;
    Tile<TYPE, SLICE> gradients;
    Tile<TYPE, 16> scores;
    Tile<TYPE, 16> inverse;
    float* factors;

    static constexpr int KEY_BYTES = Tile<TYPE, KEYS>::bytes(CHUNK);
    static constexpr int VALUE_BYTES = Tile<TYPE, SLICE>::bytes(CHUNK);
    static constexpr int TRIANGLE_BYTES = Tile<TYPE, 16>::bytes(TRIANGLE_ROWS);
    static constexpr int BYTES = 2 * KEY_BYTES + VALUE_BYTES + (BETA ? 2 : 1) * TRIANGLE_BYTES
            + SCAN_FACTORS * sizeof(float);

    __device__ explicit Stage(char* memory)
        : queries{reinterpret_cast<TYPE*>(memory)},
          keys{reinterpret_cast<TYPE*>(memory + KEY_BYTES)},
          gradients{reinterpret_cast<TYPE*>(memory + 2 * KEY_BYTES)},
          scores{reinterpret_cast<TYPE*>(memory + 2 * KEY_BYTES + VALUE_BYTES)},
          inverse{reinterpret_cast<TYPE*>(memory + 2 * KEY_BYTES + VALUE_BYTES + TRIANGLE_BYTES)},
          factors(reinterpret_cast<float*>(memory + BYTES - SCAN_FACTORS * sizeof(float))) {}
};

// sums += gradients scores.
__device__ __forceinline__ void addScored(
        TokenRows& sums,
        const Operand<TYPE> (&gradients)[CHUNK / 16],
        const Tile<TYPE, 16>& scores) {
#pragma unroll
    for (int j = 0; j < CHUNK / 16; ++j) {
#pragma unroll
        for (int i = j; i < CHUNK / 16; ++i) {
            const RightOperand<TYPE> right = scores.rightTransposed(0, triangle(i, j));
            multiply(sums.at[2 * j], sums.at[2 * j + 1], gradients[i], right);
        }
    }
}

// sums = sums inverse.
__device__ __forceinline__ void solveTransposed(TokenRows& sums, const Tile<TYPE, 16>& inverse) {
    Operand<TYPE> left[CHUNK / 16];
    take(left, sums);
    sums.clear();
#pragma unroll
    for (int j = 0; j < CHUNK / 16; ++j) {
#pragma unroll
        for (int i = j; i < CHUNK / 16; ++i) {
            const RightOperand<TYPE> right = inverse.right(triangle(i, j), 0);
            multiply(sums.at[2 * j], sums.at[2 * j + 1], left[i], right);
        }
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) values(
        const TYPE* __restrict__ q,
        const TYPE* __restrict__ k,
        const TYPE* __restrict__ dO,
        const TYPE* __restrict__ scores,
        const TYPE* __restrict__ inverses,
        const float* __restrict__ factors,
        const float* __restrict__ dFinal,
        TYPE* __restrict__ leaving,
        TYPE* __restrict__ dV,
        float* __restrict__ dInitial,
        long long qRow,
        long long qToken,
        long long qHead,
        long long kRow,
        long long kToken,
        long long kHead,
        int tokens,
        int heads,
        int group,
        int chunks,
        float scale) {
    const int thread = threadIdx.x;
    const int valueHeads = heads * group;
    const int row = blockIdx.y / valueHeads;
    const int valueHead = blockIdx.y % valueHeads;
    const int head = valueHead / group;
    const int slice = blockIdx.x * SLICE;
    const int column = thread / 32 * 16;
    const long long valueStride = (long long)valueHeads * VALUE_DIM;
    const bool works = column < SLICE && slice + column < VALUE_DIM;
    const int fetcher = thread - (THREADS - FETCHERS);

    const long long value = tokenAt(row, 0, valueHead, tokens, valueHeads, VALUE_DIM) + slice;
    q += Strides{qRow, qToken, qHead}.at(row, 0, head);
    k += Strides{kRow, kToken, kHead}.at(row, 0, head);
    dO += value;
    dV += value;

    auto load = [&](int chunk) {
        const Stage stage(sharedMemory() + chunk % STAGES * Stage::BYTES);
        const int begin = chunk * CHUNK;
        const int rest = tokens - begin;
        stage.queries.template fetch<CHUNK, FETCHERS, ALIGNED>(
                q + begin * qToken,
                qToken, rest, KEY_DIM, fetcher);
        stage.keys.template fetch<CHUNK, FETCHERS, ALIGNED>(
                k + begin * kToken,
                kToken, rest, KEY_DIM, fetcher);
        stage.gradients.template fetch<CHUNK, FETCHERS, ALIGNED>(
                dO + begin * valueStride,
                valueStride, rest, VALUE_DIM - slice, fetcher);
        const long long at = (long long)blockIdx.y * chunks + chunk;
        fetchBlocks<TRIANGLE_ROWS, FETCHERS>(
                stage.scores, scores + at * TRIANGLE_ROWS * 16, TRIANGLE_ROWS, fetcher);
        if (BETA) {
            fetchBlocks<TRIANGLE_ROWS, FETCHERS>(
                    stage.inverse, inverses + at * TRIANGLE_ROWS * 16, TRIANGLE_ROWS, fetcher);
        }
        fetchFactors<FETCHERS>(stage.factors, factors + at * FACTORS, SCAN_FACTORS, fetcher);
    };
    // A group of copies each time, so that counting groups counts chunks.
    auto fetch = [&](int chunk) {
        if (fetcher < 0) {
            return;
        }
        if (chunk >= 0) {
            load(chunk);
        }
        cp_async_commit();
    };

    StateRows state;
    const long long stateAt = (long long)blockIdx.y * KEY_DIM * VALUE_DIM;
    loadState(state, dFinal == nullptr ? nullptr : dFinal + stateAt, slice + column);
    for (int ahead = 1; ahead < STAGES; ++ahead) {
        fetch(chunks - ahead);
    }
    for (int chunk = chunks - 1; chunk >= 0; --chunk) {
        if (STAGES == 1) {
            __syncthreads();
            fetch(chunk);
        }
        cp_async_wait<STAGES == 1 ? 0 : STAGES - 2>();
        __syncthreads();
        if (STAGES > 1) {
            fetch(chunk - STAGES + 1);
        }
        const Stage stage(sharedMemory() + chunk % STAGES * Stage::BYTES);
        if (works) {
            const long long at = (long long)blockIdx.y * chunks + chunk;
            TokenRows sums;
            readAndStore(
                    sums, state, stage.keys, leaving + at * VALUES * KEYS, slice + column, true);
            scaleColumns(sums, stage.factors + WRITTEN);
            Operand<TYPE> rows[CHUNK / 16];
#pragma unroll
            for (int d = 0; d < CHUNK / 16; ++d) {
                rows[d] = stage.gradients.transposed(column, d * 16);
            }
            addScored(sums, rows, stage.scores);
            if (BETA) {
                solveTransposed(sums, stage.inverse);
            }
            storeTokens(
                    sums,
                    dV + chunk * CHUNK * valueStride + column,
                    valueStride, tokens - chunk * CHUNK, VALUE_DIM - slice - column);
            keep(state, stage.factors[ACROSS]);
#pragma unroll
            for (int d = 0; d < CHUNK / 16; ++d) {
                scaleDepth(rows[d], stage.factors + FROM_START + d * 16, scale);
            }
            add(state, rows, stage.queries);
            if (BETA) {
                scaleColumns(sums, stage.factors + FROM_START, -1.0f);
                take(rows, sums);
                add(state, rows, stage.keys);
            }
        }
    }
    if (dInitial != nullptr && works) {
        storeState(state, dInitial + stateAt, slice + column);
    }
}
