// The backward of the delta rule, 2 of 4: the forward again, from chunk to chunk, for the state that
// enters each and what each token corrects,
//
//   R  = inverse (V - diag(fromStart) K S)
//   S' = across S + Kt diag(toEnd beta) R
//
// A warp keeps 16 columns of S in registers, transposed: [16 values, K]. Products then chain without
// leaving registers, and warps of a block share tiles of tokens only. Without beta, R is V and is
// not written.
//
// Constants and layouts: delta_backward.cuh. states [B, HV, chunks, V, K] in blocks, residuals as v.
// Grid: slices of 16 WARPS values, B HV; blocks of 32 (WARPS + LOADERS) threads.

constexpr int THREADS = 32 * (WARPS + LOADERS);
constexpr int FETCHERS = LOADERS > 0 ? 32 * LOADERS : THREADS;
constexpr int SLICE = 16 * WARPS;

struct Stage {
    Tile<TYPE, KEYS> keys;
    Tile<TYPE, SLICE> values;
    Tile<TYPE, 16> inverse;
    float* factors;

    static constexpr int KEY_BYTES = Tile<TYPE, KEYS>::bytes(CHUNK);
    static constexpr int VALUE_BYTES = Tile<TYPE, SLICE>::bytes(CHUNK);
    static constexpr int INVERSE_BYTES = BETA ? Tile<TYPE, 16>::bytes(TRIANGLE_ROWS) : 0;
    static constexpr int BYTES = KEY_BYTES + VALUE_BYTES + INVERSE_BYTES + SCAN_FACTORS * sizeof(float);

    __device__ explicit Stage(char* memory)
        : keys{reinterpret_cast<TYPE*>(memory)},
          values{reinterpret_cast<TYPE*>(memory + KEY_BYTES)},
          inverse{reinterpret_cast<TYPE*>(memory + KEY_BYTES + VALUE_BYTES)},
          factors(reinterpret_cast<float*>(memory + KEY_BYTES + VALUE_BYTES + INVERSE_BYTES)) {}
};

// sums = vt - sums diag(factor): what a state does not explain of the values.
__device__ __forceinline__ void subtractFromValues(
        TokenRows& sums, const Tile<TYPE, SLICE>& values, int column, const float* factor) {
    scaleColumns(sums, factor);
#pragma unroll
    for (int n = 0; n < CHUNK / 16; ++n) {
        float first[4];
        float second[4];
        values.transposed(column, n * 16).give(first, second);
#pragma unroll
        for (int e = 0; e < 4; ++e) {
            sums.at[2 * n][e] = first[e] - sums.at[2 * n][e];
            sums.at[2 * n + 1][e] = second[e] - sums.at[2 * n + 1][e];
        }
    }
}

// sums = sums inverse^T.
__device__ __forceinline__ void solve(TokenRows& sums, const Tile<TYPE, 16>& inverse) {
    Operand<TYPE> left[CHUNK / 16];
    take(left, sums);
    sums.clear();
#pragma unroll
    for (int i = 0; i < CHUNK / 16; ++i) {
#pragma unroll
        for (int j = 0; j <= i; ++j) {
            const RightOperand<TYPE> right = inverse.rightTransposed(0, triangle(i, j));
            multiply(sums.at[2 * i], sums.at[2 * i + 1], left[j], right);
        }
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) states(
        const TYPE* __restrict__ k,
        const TYPE* __restrict__ v,
        const TYPE* __restrict__ inverses,
        const float* __restrict__ factors,
        const float* __restrict__ initial,
        TYPE* __restrict__ entering,
        TYPE* __restrict__ residuals,
        long long kRow,
        long long kToken,
        long long kHead,
        long long vRow,
        long long vToken,
        long long vHead,
        int tokens,
        int heads,
        int group,
        int chunks) {
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

    k += Strides{kRow, kToken, kHead}.at(row, 0, head);
    v += Strides{vRow, vToken, vHead}.at(row, 0, valueHead) + slice;
    residuals += tokenAt(row, 0, valueHead, tokens, valueHeads, VALUE_DIM) + slice;

    auto load = [&](int chunk) {
        const Stage stage(sharedMemory() + chunk % STAGES * Stage::BYTES);
        const int begin = chunk * CHUNK;
        const int rest = tokens - begin;
        stage.keys.template fetch<CHUNK, FETCHERS, ALIGNED>(
                k + begin * kToken,
                kToken, rest, KEY_DIM, fetcher);
        stage.values.template fetch<CHUNK, FETCHERS, ALIGNED>(
                v + begin * vToken,
                vToken, rest, VALUE_DIM - slice, fetcher);
        const long long at = (long long)blockIdx.y * chunks + chunk;
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
        if (chunk < chunks) {
            load(chunk);
        }
        cp_async_commit();
    };

    StateRows state;
    const long long initialSize = (long long)KEY_DIM * VALUE_DIM;
    loadState(
            state, initial == nullptr ? nullptr : initial + blockIdx.y * initialSize, slice + column);
    for (int ahead = 0; ahead < STAGES - 1; ++ahead) {
        fetch(ahead);
    }
    for (int chunk = 0; chunk < chunks; ++chunk) {
        if (STAGES == 1) {
            __syncthreads();
            fetch(chunk);
        }
        cp_async_wait<STAGES == 1 ? 0 : STAGES - 2>();
        __syncthreads();
        if (STAGES > 1) {
            fetch(chunk + STAGES - 1);
        }
        const Stage stage(sharedMemory() + chunk % STAGES * Stage::BYTES);
        if (works) {
            const long long at = (long long)blockIdx.y * chunks + chunk;
            TokenRows sums;
            readAndStore(
                    sums, state, stage.keys, entering + at * VALUES * KEYS, slice + column, BETA);
            subtractFromValues(sums, stage.values, column, stage.factors + FROM_START);
            if (BETA) {
                solve(sums, stage.inverse);
                storeTokens(
                        sums,
                        residuals + chunk * CHUNK * valueStride + column,
                        valueStride, tokens - chunk * CHUNK, VALUE_DIM - slice - column);
            }
            scaleColumns(sums, stage.factors + WRITTEN);
            keep(state, stage.factors[ACROSS]);
            Operand<TYPE> written[CHUNK / 16];
            take(written, sums);
            add(state, written, stage.keys);
        }
    }
}
