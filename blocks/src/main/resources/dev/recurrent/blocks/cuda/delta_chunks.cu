// What chunks of the gated delta rule need before the state passes through them, for all chunks at
// once (arXiv 2412.06464, section 3.3, with the UT transform of arXiv 2406.06484, section 3.2).
//
// With G the sums of the log decay g from the chunk's start and D_ij = exp(G_i - G_j) for tokens
// j <= i of one document, else 0, a block computes for its chunk of one value head
//
//   transform T = (I + A)^-1, A_ij = beta_i (k_i k_j) D_ij for j < i     [C, C], if BETA
//   scores    P_ij = scale (q_i k_j) D_ij                                [C, C], if OUTPUT
//   factors   exp(G_i) if the document that enters the chunk has reached token i, else 0;
//             exp(G_last - G_i) if token i's document leaves the chunk, else 0;
//             beta_i                                                     [3, C]
//   sums      G as a float and what is missing of it                     [C, 2]
//
// T and P are zero above the diagonal. Tokens beyond the end and padding have beta = 0 and g = 0,
// and without beta they do not reach the end. A warp computes 16 rows of A and of P. Of I + A,
// blocks of 16 are inverted by substitution, and pairs of inverses are merged by products:
// the lower left of an inverse is -T22 A21 T11. All of that is fp32, in place of the inputs.
//
// Exponents are differences of sums that never rise. They are taken of two floats each, so that a
// gate near 1 keeps its precision beside sums of -10000.
//
// Constants: TYPE (of q, k, T, P: float or bfloat16), BETA_TYPE, DECAY_TYPE, BETA, DECAY, POSITIONS,
// OUTPUT (1 if there is such a thing), CHUNK (C: 16, 32 or 64), KEYS (K rounded up to a multiple of
// 16), ALIGNED (1 if rows of q and k begin at multiples of 16 bytes and K is a multiple of as many).
// Grid: batch * chunks * value heads blocks of 2C threads; chunkBytes() of shared memory.

constexpr int C = CHUNK;
constexpr int STRIPS = C / 16;
constexpr int THREADS = STRIPS * 32;

// Less than this is nothing, but a difference of two of it is a number.
constexpr float LEAST_DECAY = -1e4f;

struct Chunk {
    int head;
    int index;
    int row;
    int tokens;  // from the chunk's start to the row's end
    long long place;  // in [B, HV, chunks]

    __device__ Chunk(int length, int valueHeads) {
        const int chunks = (length + C - 1) / C;
        head = blockIdx.x % valueHeads;
        index = blockIdx.x / valueHeads % chunks;
        row = blockIdx.x / valueHeads / chunks;
        tokens = length - index * C;
        place = ((long long)row * valueHeads + head) * chunks + index;
    }
};

// What is known of the chunk's tokens.
struct Tokens {
    float sums[C];
    float rests[C];
    float strengths[C];
    int documents[C];  // how many began since the chunk's start

    __device__ __forceinline__ float decay(int from, int to) const {
        return !DECAY ? 1 : __expf((sums[to] - sums[from]) + (rests[to] - rests[from]));
    }
};

// By one warp.
__device__ __forceinline__ void readTokens(
        Tokens& tokens,
        const BETA_TYPE* beta,
        const DECAY_TYPE* decay,
        const long long* positions,
        const Chunk& chunk,
        int length,
        int valueHeads) {
    const int lane = laneIndex();
    double carry = 0;
    int started = 0;
#pragma unroll
    for (int first = 0; first < C; first += 32) {
        const int i = first + lane;
        const bool inside = i < C && i < chunk.tokens;
        const long long token = (long long)chunk.row * length + chunk.index * C + i;
        long long position = inside ? 1 : -1;
#if POSITIONS
        position = inside ? positions[token] : -1;
#endif
        double sum = 0;
#if DECAY
        if (position > 0) {
            const float gate = widen(decay[token * valueHeads + chunk.head]);
            sum = gate < LEAST_DECAY ? LEAST_DECAY : gate;
        }
#pragma unroll
        for (int distance = 1; distance < 32; distance *= 2) {
            const double before = __shfl_up_sync(~0u, sum, distance);
            sum += lane >= distance ? before : 0;
        }
        sum += carry;
        carry = __shfl_sync(~0u, sum, 31);
#endif
        const unsigned starts = __ballot_sync(~0u, position == 0);
        if (i < C) {
            tokens.sums[i] = (float)sum;
            tokens.rests[i] = (float)(sum - (float)sum);
            tokens.documents[i] = started + __popc(starts & (~0u >> (31 - lane)));
#if BETA
            tokens.strengths[i] =
                    position < 0 ? 0 : widen(beta[token * valueHeads + chunk.head]);
#else
            tokens.strengths[i] = position < 0 ? 0 : 1;
#endif
        }
        started += __popc(starts);
    }
}

__device__ __forceinline__ void writeFactors(
        const Tokens& tokens, float* factors, float* sums, const Chunk& chunk) {
    for (int i = threadIdx.x; i < C; i += THREADS) {
        const int document = tokens.documents[i];
        const bool leaves = document == tokens.documents[C - 1];
        const bool writes = BETA || tokens.strengths[i] != 0;
        float* to = factors + chunk.place * 3 * C + i;
        to[0] = document != 0 ? 0 : DECAY ? expf(tokens.sums[i]) : 1;
        to[C] = leaves && writes ? tokens.decay(i, C - 1) : 0;
        to[2 * C] = tokens.strengths[i];
        sums[(chunk.place * C + i) * 2] = tokens.sums[i];
        sums[(chunk.place * C + i) * 2 + 1] = tokens.rests[i];
    }
}

// Weighs 16 rows of products of pairs with their decay and a factor for each row: those of tokens i
// from `first` with j <= i, or j < i if strict.
__device__ __forceinline__ void weigh(
        Accumulator<2 * STRIPS>& pairs,
        const Tokens& tokens,
        int first,
        bool strict,
        const float (&factors)[2]) {
    const int rows[2] = {first + pairs.row(0), first + pairs.row(2)};
    const float sums[2] = {tokens.sums[rows[0]], tokens.sums[rows[1]]};
    const float rests[2] = {tokens.rests[rows[0]], tokens.rests[rows[1]]};
#pragma unroll
    for (int n = 0; n < 2 * STRIPS; ++n) {
        if (n * 8 > first + 8) {
            continue;
        }
        const int column = pairs.column(n, 0);
        const float2 sum = loadPair(tokens.sums + column);
        const float2 rest = loadPair(tokens.rests + column);
#pragma unroll
        for (int e = 0; e < 4; ++e) {
            const int i = rows[e / 2];
            const int j = column + e % 2;
            bool sees = j < i || (!strict && j == i);
#if POSITIONS
            sees = sees && tokens.documents[i] == tokens.documents[j];
#endif
            float weight = factors[e / 2];
#if DECAY
            const float high = sums[e / 2] - (e % 2 ? sum.y : sum.x);
            const float low = rests[e / 2] - (e % 2 ? rest.y : rest.x);
            weight *= __expf(fminf(high + low, 0));
#endif
            pairs.at[n][e] = sees ? pairs.at[n][e] * weight : 0;
        }
    }
}

// Replaces 16 rows and columns of the lower triangle A by (I + A)^-1, a lane for each column.
__device__ __forceinline__ void invertBlock(const Tile<float, C>& a, int first) {
    const int column = laneIndex() % 16;
    float x[16];
#pragma unroll
    for (int i = 0; i < 16; ++i) {
        const float4* row = reinterpret_cast<const float4*>(a.row(first + i) + first);
        x[i] = i == column;
#pragma unroll
        for (int m = 0; m < i; m += 4) {
            const float4 four = row[m / 4];
            x[i] -= four.x * x[m];
            x[i] -= m + 1 < i ? four.y * x[m + 1] : 0;
            x[i] -= m + 2 < i ? four.z * x[m + 2] : 0;
            x[i] -= m + 3 < i ? four.w * x[m + 3] : 0;
        }
    }
    __syncwarp();
    if (laneIndex() < 16) {
#pragma unroll
        for (int i = 0; i < 16; ++i) {
            a.row(first + i)[first + column] = x[i];
        }
    }
    __syncwarp();
}

// Makes one inverse of each two neighbours of SIZE: a warp computes 16x16 of what stands to the
// left of the lower one.
template <int SIZE>
__device__ __forceinline__ void mergeBlocks(const Tile<float, C>& a, int warp) {
    constexpr int SIDE = SIZE / 16;
    const bool works = warp < C / (2 * SIZE) * SIDE * SIDE;
    const int upper = warp / (SIDE * SIDE) * 2 * SIZE;
    const int lower = upper + SIZE;
    const int i = warp / SIDE % SIDE;
    const int j = warp % SIDE;
    Accumulator<2> inverse;
    inverse.clear();
    if (works) {
#pragma unroll
        for (int d = 0; d < SIDE; ++d) {
            if (d <= i) {
                Accumulator<2> product;  // (A21 T11)t, which is an operand of the next product
                product.clear();
#pragma unroll
                for (int m = 0; m < SIDE; ++m) {
                    if (m >= j) {
                        multiply(
                                product.at[0],
                                product.at[1],
                                a.transposed(upper + 16 * j, upper + 16 * m),
                                a.right(lower + 16 * d, upper + 16 * m));
                    }
                }
                RightOperand<float> right;
                right.take(product.at[0], product.at[1]);
                multiply(
                        inverse.at[0],
                        inverse.at[1],
                        a.operand(lower + 16 * i, lower + 16 * d),
                        right);
            }
        }
    }
    __syncthreads();
    if (works) {
#pragma unroll
        for (int n = 0; n < 2; ++n) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                a.row(lower + 16 * i + inverse.row(e))[upper + 16 * j + inverse.column(n, e)] =
                        -inverse.at[n][e];
            }
        }
    }
    __syncthreads();
}

// Writes a [C, C] of sums out, zero above its diagonal blocks.
__device__ __forceinline__ void writeSquare(const Tile<float, C>& from, TYPE* to) {
#pragma unroll
    for (int i = 0; i < C * C / 4; i += THREADS) {
        const int row = (i + threadIdx.x) / (C / 4);
        const int column = (i + threadIdx.x) % (C / 4) * 4;
        const float4 values = column / 16 > row / 16
                ? make_float4(0, 0, 0, 0)
                : *reinterpret_cast<const float4*>(from.row(row) + column);
        storeFour(to + row * C + column, values);
    }
}

__host__ __device__ constexpr int chunkBytes() {
    constexpr int inputs = Tile<TYPE, KEYS>::bytes(C) * (OUTPUT + 1);
    constexpr int squares = Tile<float, C>::bytes(C) + OUTPUT * Tile<TYPE, C>::bytes(C);
    return (inputs > squares ? inputs : squares) + sizeof(Tokens);
}

extern "C" __global__ void __launch_bounds__(THREADS) delta_chunks(
        const TYPE* __restrict__ q,
        const TYPE* __restrict__ k,
        const BETA_TYPE* __restrict__ beta,
        const DECAY_TYPE* __restrict__ decay,
        const long long* __restrict__ positions,
        TYPE* __restrict__ transforms,
        TYPE* __restrict__ scores,
        float* __restrict__ factors,
        float* __restrict__ sums,
        long long queryRow,
        long long queryToken,
        long long queryHead,
        long long keyRow,
        long long keyToken,
        long long keyHead,
        int length,
        int heads,
        int valueHeads,
        int keyDim,
        float scale) {
    const Chunk chunk(length, valueHeads);
    const int warp = threadIdx.x / 32;
    const int keyHeadIndex = chunk.head / (valueHeads / heads);
    const long long first = chunk.index * C;

    Tokens& tokens = *reinterpret_cast<Tokens*>(sharedMemory());
    char* shared = sharedMemory() + sizeof(Tokens);
    const Tile<TYPE, KEYS> keys{reinterpret_cast<TYPE*>(shared)};
    keys.template fetch<C, THREADS, ALIGNED>(
            k + chunk.row * keyRow + first * keyToken + keyHeadIndex * keyHead,
            keyToken,
            chunk.tokens,
            keyDim,
            threadIdx.x);
#if OUTPUT
    const Tile<TYPE, KEYS> queries{reinterpret_cast<TYPE*>(shared + keys.bytes(C))};
    queries.template fetch<C, THREADS, ALIGNED>(
            q + chunk.row * queryRow + first * queryToken + keyHeadIndex * queryHead,
            queryToken,
            chunk.tokens,
            keyDim,
            threadIdx.x);
#endif
    cp_async_commit();
    if (warp == 0) {
        readTokens(tokens, beta, decay, positions, chunk, length, valueHeads);
    }
    cp_async_wait<0>();
    __syncthreads();
    writeFactors(tokens, factors, sums, chunk);

    // Rows of A and of P from opposite ends, so that every warp has as much to do.
    const int overlapRow = STRIPS - 1 - warp;
    const int scoreRow = warp;
    Accumulator<2 * STRIPS> overlap;
    Accumulator<2 * STRIPS> score;
    overlap.clear();
    score.clear();
#pragma unroll 4
    for (int d = 0; d < KEYS; d += 16) {
        const Operand<TYPE> left = keys.operand(16 * overlapRow, d);
#if OUTPUT
        const Operand<TYPE> query = queries.operand(16 * scoreRow, d);
#endif
#pragma unroll
        for (int n = 0; n < STRIPS; ++n) {
            const bool overlaps = BETA && n <= overlapRow;
            const bool scored = OUTPUT && n <= scoreRow;
            if (overlaps || scored) {
                const RightOperand<TYPE> right = keys.right(16 * n, d);
                if (overlaps) {
                    multiply(overlap.at[2 * n], overlap.at[2 * n + 1], left, right);
                }
#if OUTPUT
                if (scored) {
                    multiply(score.at[2 * n], score.at[2 * n + 1], query, right);
                }
#endif
            }
        }
    }
    __syncthreads();

    const Tile<float, C> square{reinterpret_cast<float*>(shared)};
    const Tile<TYPE, C> lower{reinterpret_cast<TYPE*>(shared + square.bytes(C))};
#if BETA
    const float strengths[2] = {
            tokens.strengths[16 * overlapRow + overlap.row(0)],
            tokens.strengths[16 * overlapRow + overlap.row(2)]};
    weigh(overlap, tokens, 16 * overlapRow, true, strengths);
    store(overlap, square.at, square.STRIDE, 16 * overlapRow, 0);
#endif
#if OUTPUT
    const float scales[2] = {scale, scale};
    weigh(score, tokens, 16 * scoreRow, false, scales);
    store(score, lower.at, lower.STRIDE, 16 * scoreRow, 0);
#endif
    __syncthreads();
#if OUTPUT
    lower.template store<C, THREADS, true>(
            scores + chunk.place * C * C, C, C, C, threadIdx.x);
#endif
#if BETA
    invertBlock(square, 16 * warp);
    __syncthreads();
#if CHUNK >= 32
    mergeBlocks<16>(square, warp);
#endif
#if CHUNK >= 64
    mergeBlocks<32>(square, warp);
#endif
    writeSquare(square, transforms + chunk.place * C * C);
#endif
}
