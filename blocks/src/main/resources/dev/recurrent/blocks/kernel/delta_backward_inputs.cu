// The backward of the delta rule, 4 of 4: all other gradients, each chunk for itself, from the state
// S that enters it, the gradient dS of the state that leaves it, R and dV. With strengths b, decays
// D, e from the chunk's start and r to its end, and
//
//   X = tril(scale D * dO Rt) diag(b)       E = -tril(D * dV Rt, -1) diag(b)
//   dQ = scale diag(e) dO St + X K
//   dK = W + N,  W = diag(b r) R dSt + Xt Q + Et K,  N = -diag(e) dV St + E K
//   db = sum over K of k * W / b
//   dg = sums from each token to the chunk's end of  q * dQ + k * N - k * W,
//        and, for all of the chunk, of r k * (R dSt) b + across S * dS
//
// W holds what tokens write and N what they read, so the last is what decays scale on its way. Pairs
// of tokens cancel there: X and E are rounded once and then used in both directions, so that they
// cancel to fp32. Where b is zero, b = 1 stands in X, E and W, which db needs, and what would have
// been multiplied by it is left out of all other sums.
//
// V is taken in panels, twice: for X and E, of which each warp takes some tiles of 16x16; then for
// the products with states, of which a warp takes 32 tokens and COLUMNS columns, in registers, and
// which come in slices of 16 values. A panel that has all of V is loaded once.
//
// Constants and layouts: delta_backward.cuh; besides
//   PANEL     values at a time, a multiple of 16
//   RING      slices of states in shared memory, 2 or more
//   GROUPED   whether several value heads share a head: a block adds up their gradients, in fp32 in
//             dQSums and dKSums until the last
// dBeta and dDecay [B, T, HV] in fp32.
// Grid: chunks, B H; blocks of 64 COLUMN_WARPS threads.

constexpr int BLOCK_WARPS = 2 * COLUMN_WARPS;
constexpr int THREADS = 32 * BLOCK_WARPS;
constexpr int PANELS = (VALUES + PANEL - 1) / PANEL;
constexpr int SLICES = VALUES / 16;
constexpr int PANEL_SLICES = PANEL / 16;
static_assert(PANELS == 1 || PANEL_SLICES >= RING, "a panel is there before its first slice");

// Tiles of X and E that a warp takes.
constexpr int TILES = (10 + BLOCK_WARPS - 1) / BLOCK_WARPS;

// Below this, a strength counts as zero: what is multiplied by it keeps bf16's precision.
constexpr float LEAST_STRENGTH = 1e-30f;

// What tokens have of some values.
struct Panel {
    Tile<TYPE, PANEL> gradients;
    Tile<TYPE, PANEL> residuals;
    Tile<TYPE, PANEL> corrections;

    static constexpr int TILE_BYTES = Tile<TYPE, PANEL>::bytes(CHUNK);
    static constexpr int BYTES = (BETA ? 3 : 2) * TILE_BYTES;

    __device__ explicit Panel(char* memory)
        : gradients{reinterpret_cast<TYPE*>(memory)},
          residuals{reinterpret_cast<TYPE*>(memory + TILE_BYTES)},
          corrections{reinterpret_cast<TYPE*>(memory + 2 * TILE_BYTES)} {}
};

// What states have of 16 values.
struct Slice {
    Tile<TYPE, KEYS> entering;
    Tile<TYPE, KEYS> leaving;

    static constexpr int TILE_BYTES = Tile<TYPE, KEYS>::bytes(16);
    static constexpr int BYTES = 2 * TILE_BYTES;

    __device__ explicit Slice(char* memory)
        : entering{reinterpret_cast<TYPE*>(memory)},
          leaving{reinterpret_cast<TYPE*>(memory + TILE_BYTES)} {}
};

struct Shared {
    static constexpr int TOKEN_BYTES = Tile<TYPE, KEYS>::bytes(CHUNK);
    static constexpr int TRIANGLE_BYTES = Tile<TYPE, 16>::bytes(TRIANGLE_ROWS);
    static constexpr int PANEL_BYTES = (PANELS == 1 ? 1 : 2) * Panel::BYTES;
    static constexpr int PANELS_AT = TOKEN_BYTES;
    static constexpr int SLICES_AT
            = PANELS_AT + (PANEL_BYTES > TOKEN_BYTES ? PANEL_BYTES : TOKEN_BYTES);
    static constexpr int TRIANGLES_AT = SLICES_AT + RING * Slice::BYTES;
    static constexpr int FLOATS_AT = TRIANGLES_AT + (BETA ? 2 : 1) * TRIANGLE_BYTES;

    Tile<TYPE, KEYS> keys;
    Tile<TYPE, KEYS> queries;   // where panels were
    Tile<TYPE, 16> scores;      // X
    Tile<TYPE, 16> overlaps;    // E
    float* factors;
    float* strengths;  // b, with 1 for 0
    float* counts;     // 0 where b is 0, else 1
    float* products;   // [3][COLUMN_WARPS][CHUNK] sums over a warp's columns
    float* kept;       // [BLOCK_WARPS] sums of S * dS

    __device__ explicit Shared(char* memory)
        : keys{reinterpret_cast<TYPE*>(memory)},
          queries{reinterpret_cast<TYPE*>(memory + PANELS_AT)},
          scores{reinterpret_cast<TYPE*>(memory + TRIANGLES_AT)},
          overlaps{reinterpret_cast<TYPE*>(memory + FLOATS_AT - TRIANGLE_BYTES)},
          factors(reinterpret_cast<float*>(memory + FLOATS_AT)),
          strengths(factors + FACTORS),
          counts(strengths + CHUNK),
          products(counts + CHUNK),
          kept(products + 3 * COLUMN_WARPS * CHUNK) {}

    __device__ static Panel panel(int step) {
        return Panel(sharedMemory() + PANELS_AT + (PANELS == 1 ? 0 : step % 2 * Panel::BYTES));
    }

    __device__ static Slice slice(int step) {
        return Slice(sharedMemory() + SLICES_AT + step % RING * Slice::BYTES);
    }
};

// 32 tokens and COLUMNS columns of a warp.
using Rows = Accumulator<COLUMNS / 8>;

// Adds a panel's part of dO Rt and dV Rt to a warp's tiles.
__device__ __forceinline__ void addPairs(
        Accumulator<2> (&scores)[TILES],
        Accumulator<2> (&overlaps)[TILES],
        const Panel& panel,
        int warp) {
#pragma unroll
    for (int t = 0; t < TILES; ++t) {
        const int tile = warp + t * BLOCK_WARPS;
        if (tile < 10) {
            const int i = tileRow(tile);
            const int j = tile - i * (i + 1) / 2;
#pragma unroll
            for (int d = 0; d < PANEL; d += 16) {
                const RightOperand<TYPE> right = panel.residuals.right(j * 16, d);
                multiply(scores[t].at[0], scores[t].at[1],
                         panel.gradients.operand(i * 16, d), right);
                if (BETA) {
                    multiply(overlaps[t].at[0], overlaps[t].at[1],
                             panel.corrections.operand(i * 16, d), right);
                }
            }
        }
    }
}

// Makes X and E of them.
__device__ __forceinline__ void storePairs(
        const Shared& shared,
        Accumulator<2> (&scores)[TILES],
        Accumulator<2> (&overlaps)[TILES],
        int warp,
        float scale) {
#pragma unroll
    for (int t = 0; t < TILES; ++t) {
        const int tile = warp + t * BLOCK_WARPS;
        if (tile < 10) {
            const int i = tileRow(tile);
            const int j = tile - i * (i + 1) / 2;
#pragma unroll
            for (int n = 0; n < 2; ++n) {
#pragma unroll
                for (int e = 0; e < 4; ++e) {
                    const int from = j * 16 + scores[t].column(n, e);
                    const int to = i * 16 + scores[t].row(e);
                    float factor = from <= to ? pairDecay(shared.factors, to, from) : 0.0f;
                    factor *= shared.strengths[from];
                    scores[t].at[n][e] *= scale * factor;
                    overlaps[t].at[n][e] *= from < to ? -factor : 0.0f;
                }
            }
            store(scores[t], shared.scores.at, shared.scores.STRIDE, tile * 16, 0);
            if (BETA) {
                store(overlaps[t], shared.overlaps.at, shared.overlaps.STRIDE, tile * 16, 0);
            }
        }
    }
}

// sums += pairs K, for tokens that read: from rows `row` .. of pairs.
__device__ __forceinline__ void addRead(
        Rows (&sums)[2],
        const Tile<TYPE, 16>& pairs,
        const Tile<TYPE, KEYS>& keys,
        const float* counts,
        int row,
        int column) {
#pragma unroll
    for (int j = 0; j < CHUNK / 16; ++j) {
        if (j * 16 < row + 32) {
            Operand<TYPE> left[2];
#pragma unroll
            for (int m = 0; m < 2; ++m) {
                const int i = row / 16 + m;
                if (j <= i) {
                    left[m] = pairs.operand(triangle(i, j), 0);
                    if (BETA) {
                        scaleDepth(left[m], counts + j * 16);
                    }
                }
            }
#pragma unroll
            for (int n = 0; n < COLUMNS / 16; ++n) {
                const RightOperand<TYPE> right
                        = keys.rightTransposed(column + n * 16, j * 16);
#pragma unroll
                for (int m = 0; m < 2; ++m) {
                    if (j <= row / 16 + m) {
                        multiply(sums[m].at[2 * n], sums[m].at[2 * n + 1], left[m], right);
                    }
                }
            }
        }
    }
}

// sums += pairs^T tokens, for tokens that write.
__device__ __forceinline__ void addWritten(
        Rows (&sums)[2],
        const Tile<TYPE, 16>& pairs,
        const Tile<TYPE, KEYS>& tokens,
        int row,
        int column) {
#pragma unroll
    for (int i = 0; i < CHUNK / 16; ++i) {
        if (i * 16 >= row) {
            Operand<TYPE> left[2];
#pragma unroll
            for (int m = 0; m < 2; ++m) {
                const int j = row / 16 + m;
                if (j <= i) {
                    left[m] = pairs.transposed(0, triangle(i, j));
                }
            }
#pragma unroll
            for (int n = 0; n < COLUMNS / 16; ++n) {
                const RightOperand<TYPE> right
                        = tokens.rightTransposed(column + n * 16, i * 16);
#pragma unroll
                for (int m = 0; m < 2; ++m) {
                    if (row / 16 + m <= i) {
                        multiply(sums[m].at[2 * n], sums[m].at[2 * n + 1], left[m], right);
                    }
                }
            }
        }
    }
}

__device__ __forceinline__ void scaleRows(
        Rows (&sums)[2], const float* factor, int row, float scale) {
#pragma unroll
    for (int m = 0; m < 2; ++m) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const float by = scale * factor[row + m * 16 + Rows::row(2 * half)];
#pragma unroll
            for (int n = 0; n < COLUMNS / 8; ++n) {
                sums[m].at[n][2 * half] *= by;
                sums[m].at[n][2 * half + 1] *= by;
            }
        }
    }
}

// Adds to products[2m + half] the sum over a thread's columns of sums times tokens.
__device__ __forceinline__ void addProducts(
        float (&products)[4],
        const Rows (&sums)[2],
        const Tile<TYPE, KEYS>& tokens,
        int row,
        int column) {
#pragma unroll
    for (int m = 0; m < 2; ++m) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const TYPE* at = tokens.row(row + m * 16 + Rows::row(2 * half)) + column;
#pragma unroll
            for (int n = 0; n < COLUMNS / 8; ++n) {
                const float2 pair = loadPair(at + Rows::column(n, 0));
                products[2 * m + half] += sums[m].at[n][2 * half] * pair.x
                        + sums[m].at[n][2 * half + 1] * pair.y;
            }
        }
    }
}

// The lane's part of the sum of all products of elements.
__device__ __forceinline__ float dot(
        const RightOperand<bfloat16>& a, const RightOperand<bfloat16>& b) {
    float sum = 0;
#pragma unroll
    for (int p = 0; p < 4; ++p) {
        const unsigned x = a.part[p / 2][p % 2];
        const unsigned y = b.part[p / 2][p % 2];
        sum += __uint_as_float(x << 16) * __uint_as_float(y << 16);
        sum += __uint_as_float(x & 0xffff0000u) * __uint_as_float(y & 0xffff0000u);
    }
    return sum;
}

__device__ __forceinline__ float dot(const RightOperand<float>& a, const RightOperand<float>& b) {
    float sum = 0;
#pragma unroll
    for (int p = 0; p < 4; ++p) {
        sum += a.part[p][0] * b.part[p][0] + a.part[p][1] * b.part[p][1];
    }
    return sum;
}

// Sums products over the four lanes that share rows.
__device__ __forceinline__ void storeProducts(float* to, float (&products)[4], int row) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        products[i] += __shfl_xor_sync(~0u, products[i], 1);
        products[i] += __shfl_xor_sync(~0u, products[i], 2);
        if (laneIndex() % 4 == 0) {
            to[row + i / 2 * 16 + Rows::row(i % 2 * 2)] = products[i];
        }
    }
}

// Writes the gradient of q or k, or adds it to what other value heads of the group gave.
__device__ __forceinline__ void storeRows(
        const Rows (&sums)[2],
        TYPE* to,
        float* group,
        bool first,
        bool last,
        long long stride,
        int row,
        int column,
        int rows) {
    const int begin = column + Rows::column(0, 0);
#pragma unroll
    for (int m = 0; m < 2; ++m) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int i = row + m * 16 + Rows::row(2 * half);
            const long long at = i * stride + begin;
            if (i < rows) {
#pragma unroll
                for (int n = 0; n < COLUMNS / 8; ++n) {
                    const int j = begin + n * 8;
                    float x = sums[m].at[n][2 * half];
                    float y = sums[m].at[n][2 * half + 1];
                    const bool inside = KEYS == KEY_DIM || j < KEY_DIM;
                    const bool both = ALIGNED || j + 1 < KEY_DIM;
                    float* sum = group + at + n * 8;
                    if (GROUPED && inside && !first) {
                        x += sum[0];
                        y += both ? sum[1] : 0.0f;
                    }
                    if (GROUPED && inside && !last) {
                        sum[0] = x;
                        if (both) {
                            sum[1] = y;
                        }
                    } else if (ALIGNED && inside) {
                        storePair(to + at + n * 8, x, y);
                    } else if (inside) {
                        to[at + n * 8] = narrow<TYPE>(x);
                        if (both) {
                            to[at + n * 8 + 1] = narrow<TYPE>(y);
                        }
                    }
                }
            }
        }
    }
}

// One warp, two tokens a lane: the gradients of beta and g from sums over columns.
__device__ void storeGates(
        const Shared& shared, float* dBeta, float* dDecay, int stride, int rows) {
    const int lane = laneIndex();
    float through[2];  // what decays scale on its way, of tokens
    float written = 0;
    for (int i = 0; i < 2; ++i) {
        const int t = 2 * lane + i;
        float sums[3] = {0, 0, 0};
        for (int p = 0; p < 3; ++p) {
            for (int w = 0; w < COLUMN_WARPS; ++w) {
                sums[p] += shared.products[(p * COLUMN_WARPS + w) * CHUNK + t];
            }
        }
        if (BETA && t < rows) {
            dBeta[(long long)t * stride] = sums[1] / shared.strengths[t];
        }
        through[i] = sums[0] - shared.counts[t] * sums[1];
        written += shared.counts[t] * sums[2];
    }
    if (!DECAY) {
        return;
    }
    for (int step = 16; step > 0; step /= 2) {
        written += __shfl_xor_sync(~0u, written, step);
    }
    float kept = 0;
    for (int w = 0; w < BLOCK_WARPS; ++w) {
        kept += shared.kept[w];
    }
    float sum = through[0] + through[1];
    for (int step = 1; step < 32; step *= 2) {
        const float later = __shfl_down_sync(~0u, sum, step);
        sum += lane + step < 32 ? later : 0;
    }
    const float all = written + shared.factors[ACROSS] * kept;
    for (int i = 0; i < 2; ++i) {
        const int t = 2 * lane + i;
        const float document = shared.factors[DOCUMENT + t];
        const float before = t == 0 ? 0.0f : shared.factors[DOCUMENT + t - 1];
        if (t < rows) {
            const bool continues = document >= 0 && document == before;
            const float rest = i == 0 ? sum : sum - through[0];
            dDecay[(long long)t * stride] = continues ? rest + all : 0.0f;
        }
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) inputs(
        const TYPE* __restrict__ q,
        const TYPE* __restrict__ k,
        const TYPE* __restrict__ dO,
        const TYPE* __restrict__ dV,
        const TYPE* __restrict__ residuals,
        const TYPE* __restrict__ entering,
        const TYPE* __restrict__ leaving,
        const float* __restrict__ factors,
        TYPE* __restrict__ dQ,
        TYPE* __restrict__ dK,
        float* __restrict__ dBeta,
        float* __restrict__ dDecay,
        float* __restrict__ dQSums,
        float* __restrict__ dKSums,
        long long qRow,
        long long qToken,
        long long qHead,
        long long kRow,
        long long kToken,
        long long kHead,
        long long rRow,
        long long rToken,
        long long rHead,
        int tokens,
        int heads,
        int group,
        float scale) {
    const Shared shared(sharedMemory());
    const int thread = threadIdx.x;
    const int warp = thread / 32;
    const int begin = blockIdx.x * CHUNK;
    const int rest = min(tokens - begin, CHUNK);
    const int row = blockIdx.y / heads;
    const int head = blockIdx.y % heads;
    const int valueHeads = heads * group;
    const long long keyStride = (long long)heads * KEY_DIM;
    const long long valueStride = (long long)valueHeads * VALUE_DIM;
    // The warp's part of sums over tokens and columns.
    const int warpRow = warp % 2 * 32;
    const int warpColumn = warp / 2 * COLUMNS;

    shared.keys.template fetch<CHUNK, THREADS, ALIGNED>(
            k + Strides{kRow, kToken, kHead}.at(row, begin, head), kToken, rest, KEY_DIM, thread);

    for (int member = 0; member < (GROUPED ? group : 1); ++member) {
        const int valueHead = head * group + member;
        const long long chunk
                = ((long long)row * valueHeads + valueHead) * gridDim.x + blockIdx.x;
        const TYPE* dOs = dO + tokenAt(row, begin, valueHead, tokens, valueHeads, VALUE_DIM);
        const TYPE* dVs = dV + tokenAt(row, begin, valueHead, tokens, valueHeads, VALUE_DIM);
        const TYPE* rs = residuals + Strides{rRow, rToken, rHead}.at(row, begin, valueHead);

        // Panels 0, 1, ... for pairs, then the same again for states.
        auto loadPanel = [&](int step) {
            const Panel panel = shared.panel(step);
            const int value = step % PANELS * PANEL;
            const int columns = VALUE_DIM - value;
            panel.gradients.template fetch<CHUNK, THREADS, ALIGNED>(
                    dOs + value, valueStride, rest, columns, thread);
            panel.residuals.template fetch<CHUNK, THREADS, ALIGNED>(
                    rs + value, rToken, rest, columns, thread);
            if (BETA) {
                panel.corrections.template fetch<CHUNK, THREADS, ALIGNED>(
                        dVs + value, valueStride, rest, columns, thread);
            }
        };
        auto loadSlice = [&](int step) {
            if (step < SLICES) {
                const Slice slice = shared.slice(step);
                const long long at = (chunk * VALUES + step * 16) * KEYS;
                fetchBlocks<16, THREADS>(slice.entering, entering + at, 16, thread);
                fetchBlocks<16, THREADS>(slice.leaving, leaving + at, 16, thread);
            }
        };

        fetchFactors<THREADS>(shared.factors, factors + chunk * FACTORS, FACTORS, thread);
        loadPanel(0);
        cp_async_commit();
        for (int step = 0; step < RING - 1; ++step) {
            loadSlice(step);
            cp_async_commit();
        }
        {
            Accumulator<2> scores[TILES];
            Accumulator<2> overlaps[TILES];
#pragma unroll
            for (int t = 0; t < TILES; ++t) {
                scores[t].clear();
                overlaps[t].clear();
            }
            for (int step = 0; step < PANELS; ++step) {
                if (step == 0) {
                    cp_async_wait<RING - 1>();
                } else {
                    cp_async_wait<0>();
                }
                __syncthreads();
                if (PANELS > 1) {
                    loadPanel(step + 1);
                    cp_async_commit();
                }
                if (step == 0 && thread < CHUNK) {
                    const float strength = shared.factors[STRENGTH + thread];
                    const bool counts = !BETA || fabsf(strength) >= LEAST_STRENGTH;
                    shared.strengths[thread] = BETA && counts ? strength : 1.0f;
                    shared.counts[thread] = counts ? 1.0f : 0.0f;
                }
                addPairs(scores, overlaps, shared.panel(step), warp);
            }
            __syncthreads();
            storePairs(shared, scores, overlaps, warp, scale);
        }
        if (PANELS > 1) {
            cp_async_wait<0>();
        }

        Rows queried[2];  // dQ
        Rows written[2];  // W
        Rows read[2];     // N
#pragma unroll
        for (int m = 0; m < 2; ++m) {
            queried[m].clear();
            written[m].clear();
            read[m].clear();
        }
        float kept = 0;
        for (int step = 0; step < SLICES; ++step) {
            cp_async_wait<RING - 2>();
            __syncthreads();
            loadSlice(step + RING - 1);
            const int panelStep = PANELS + step / PANEL_SLICES;
            if (PANELS > 1 && step % PANEL_SLICES == 0 && panelStep + 1 < 2 * PANELS) {
                loadPanel(panelStep + 1);
            }
            cp_async_commit();
            const Panel panel = shared.panel(panelStep);
            const Slice slice = shared.slice(step);
            const int d = step % PANEL_SLICES * 16;
            Operand<TYPE> gradients[2];
            Operand<TYPE> corrections[2];
            Operand<TYPE> residuals[2];
#pragma unroll
            for (int m = 0; m < 2; ++m) {
                gradients[m] = panel.gradients.operand(warpRow + m * 16, d);
                residuals[m] = panel.residuals.operand(warpRow + m * 16, d);
                if (BETA) {
                    corrections[m] = panel.corrections.operand(warpRow + m * 16, d);
                }
            }
#pragma unroll
            for (int n = 0; n < COLUMNS / 16; ++n) {
                const int a = 2 * n;
                const int b = 2 * n + 1;
                const RightOperand<TYPE> entering
                        = slice.entering.rightTransposed(warpColumn + n * 16, 0);
                const RightOperand<TYPE> leaving
                        = slice.leaving.rightTransposed(warpColumn + n * 16, 0);
#pragma unroll
                for (int m = 0; m < 2; ++m) {
                    multiply(queried[m].at[a], queried[m].at[b], gradients[m], entering);
                    multiply(written[m].at[a], written[m].at[b], residuals[m], leaving);
                    if (BETA) {
                        multiply(read[m].at[a], read[m].at[b], corrections[m], entering);
                    }
                }
                // Both warps of these columns have these operands.
                if (DECAY && n % 2 == warp % 2) {
                    kept += dot(entering, leaving);
                }
            }
        }
        __syncthreads();

        const bool first = member == 0;
        const bool last = !GROUPED || member == group - 1;
        const long long output = tokenAt(row, begin, head, tokens, heads, KEY_DIM);
        float through[4] = {0, 0, 0, 0};
        float strength[4] = {0, 0, 0, 0};
        float toEnd[4] = {0, 0, 0, 0};

        shared.queries.template fetch<CHUNK, THREADS, ALIGNED>(
                q + Strides{qRow, qToken, qHead}.at(row, begin, head), qToken, rest, KEY_DIM, thread);
        cp_async_commit();
        if (BETA) {
            scaleRows(read, shared.factors + FROM_START, warpRow, -1.0f);
            addRead(read, shared.overlaps, shared.keys, shared.counts, warpRow, warpColumn);
            addProducts(through, read, shared.keys, warpRow, warpColumn);
        }
        scaleRows(written, shared.factors + TO_END, warpRow, 1.0f);
        if (BETA) {
            scaleRows(written, shared.strengths, warpRow, 1.0f);
        }
        addProducts(toEnd, written, shared.keys, warpRow, warpColumn);
        scaleRows(queried, shared.factors + FROM_START, warpRow, scale);
        addRead(queried, shared.scores, shared.keys, shared.counts, warpRow, warpColumn);
        cp_async_wait<0>();
        __syncthreads();

        addProducts(through, queried, shared.queries, warpRow, warpColumn);
        storeRows(queried, dQ + output, dQSums + output, first, last, keyStride, warpRow, warpColumn,
                  rest);
        addWritten(written, shared.scores, shared.queries, warpRow, warpColumn);
        if (BETA) {
            addWritten(written, shared.overlaps, shared.keys, warpRow, warpColumn);
        }
        addProducts(strength, written, shared.keys, warpRow, warpColumn);
        if (BETA) {
            scaleRows(written, shared.counts, warpRow, 1.0f);
#pragma unroll
            for (int m = 0; m < 2; ++m) {
#pragma unroll
                for (int n = 0; n < COLUMNS / 8; ++n) {
#pragma unroll
                    for (int e = 0; e < 4; ++e) {
                        written[m].at[n][e] += read[m].at[n][e];
                    }
                }
            }
        }
        storeRows(written, dK + output, dKSums + output, first, last, keyStride, warpRow, warpColumn,
                  rest);

        float* products = shared.products + warp / 2 * CHUNK;
        storeProducts(products, through, warpRow);
        storeProducts(products + COLUMN_WARPS * CHUNK, strength, warpRow);
        storeProducts(products + 2 * COLUMN_WARPS * CHUNK, toEnd, warpRow);
        if (DECAY) {
            for (int step = 16; step > 0; step /= 2) {
                kept += __shfl_xor_sync(~0u, kept, step);
            }
            if (thread % 32 == 0) {
                shared.kept[warp] = kept;
            }
        }
        __syncthreads();
        if (warp == 0) {
            storeGates(
                    shared,
                    BETA ? dBeta + tokenAt(row, begin, valueHead, tokens, valueHeads, 1) : nullptr,
                    DECAY ? dDecay + tokenAt(row, begin, valueHead, tokens, valueHeads, 1) : nullptr,
                    valueHeads,
                    rest);
        }
        __syncthreads();
    }
}
