// What chunks of the gated delta rule need before the state passes through them, for all chunks at
// once (arXiv 2412.06464, section 3.3, with the UT transform of arXiv 2406.06484, section 3.2).
//
// With G the sums of the log decay g from the chunk's start and D_ij = exp(G_i - G_j) for tokens
// j <= i of one document, else 0, a block computes for its chunk of one value head
//
//   transform T = (I + A)^-1, A_ij = beta_i (k_i k_j) D_ij for j < i     [C, C], if BETA
//   scores    P_ij = scale (q_i k_j) D_ij                                [C, C]
//   factors   exp(G_i) if the document that enters the chunk has reached token i, else 0;
//             exp(G_last - G_i) if token i's document leaves the chunk, else 0;
//             beta_i                                                     [3, C]
//
// T and P are written on and below their diagonal blocks of 16x16. Tokens beyond the end and
// padding have beta = 0 and g = 0, and without beta they do not reach the end. Of I + A, diagonal
// blocks are inverted by substitution, and pairs of inverses are merged by products: the lower left
// of an inverse is -T22 A21 T11. All of that is fp32, in place of the inputs.
//
// Exponents are differences of sums that never rise. They are taken of two floats each, so that a
// gate near 1 keeps its precision beside sums of -10000.
//
// Constants: TYPE (of q, k, T, P: float or bfloat16), BETA_TYPE, DECAY_TYPE, BETA, DECAY, POSITIONS
// (1 if there is such a thing), CHUNK (C: 16, 32 or 64), KEYS (K rounded up to a multiple of 16),
// ALIGNED (1 if rows of q and k begin at multiples of 16 bytes and K is a multiple of as many).
// Grid: batch * chunks * value heads blocks of 2C threads; chunkBytes() of shared memory.

constexpr int C = CHUNK;
constexpr int STRIPS = C / 16;
constexpr int THREADS = STRIPS * 32;

// Tokens of a lane where one warp looks at all.
constexpr int PER_LANE = C < 32 ? 1 : C / 32;

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
};

// A lane's tokens as they lie in memory.
struct LaneTokens {
    float gates[PER_LANE];
    float strengths[PER_LANE];
    bool starts[PER_LANE];

    __device__ __forceinline__ void read(
            const BETA_TYPE* beta,
            const DECAY_TYPE* decay,
            const long long* positions,
            const Chunk& chunk,
            int length,
            int valueHeads) {
#pragma unroll
        for (int n = 0; n < PER_LANE; ++n) {
            const int i = laneIndex() * PER_LANE + n;
            const long long token = (long long)chunk.row * length + chunk.index * C + i;
            bool real = i < C && i < chunk.tokens;
            starts[n] = false;
#if POSITIONS
            const long long position = real ? positions[token] : -1;
            real = position >= 0;
            starts[n] = position == 0;
#endif
            gates[n] = 0;
            strengths[n] = real;
#if DECAY
            if (real && !starts[n]) {
                const float gate = widen(decay[token * valueHeads + chunk.head]);
                gates[n] = gate < LEAST_DECAY ? LEAST_DECAY : gate;
            }
#endif
#if BETA
            if (real) {
                strengths[n] = widen(beta[token * valueHeads + chunk.head]);
            }
#endif
        }
    }

    // Sums over the chunk, by one warp.
    __device__ __forceinline__ void sumInto(Tokens& tokens) const {
        const int lane = laneIndex();
        double sum = 0;
        int started = 0;
#pragma unroll
        for (int n = 0; n < PER_LANE; ++n) {
            sum += gates[n];
            started += starts[n];
        }
#if DECAY
        const double own = sum;
#pragma unroll
        for (int distance = 1; distance < 32; distance *= 2) {
            const double before = __shfl_up_sync(~0u, sum, distance);
            sum += lane >= distance ? before : 0;
        }
        sum -= own;
#endif
#if POSITIONS
        const int ownStarted = started;
#pragma unroll
        for (int distance = 1; distance < 32; distance *= 2) {
            const int before = __shfl_up_sync(~0u, started, distance);
            started += lane >= distance ? before : 0;
        }
        started -= ownStarted;
#endif
#pragma unroll
        for (int n = 0; n < PER_LANE; ++n) {
            const int i = lane * PER_LANE + n;
            sum += gates[n];
            started += starts[n];
            if (i < C) {
                tokens.sums[i] = (float)sum;
                tokens.rests[i] = (float)(sum - (float)sum);
                tokens.strengths[i] = strengths[n];
                tokens.documents[i] = started;
            }
        }
    }
};

__device__ __forceinline__ void writeFactors(
        const Tokens& tokens, float* factors, const Chunk& chunk) {
    for (int i = threadIdx.x; i < C; i += THREADS) {
        const int last = C - 1;
        const bool leaves = tokens.documents[i] == tokens.documents[last];
        const bool writes = BETA || tokens.strengths[i] != 0;
        const float left = (tokens.sums[last] - tokens.sums[i])
                + (tokens.rests[last] - tokens.rests[i]);
        float* to = factors + chunk.place * 3 * C + i;
        to[0] = tokens.documents[i] != 0 ? 0 : __expf(tokens.sums[i]);
        to[C] = leaves && writes ? __expf(left) : 0;
        to[2 * C] = tokens.strengths[i];
    }
}

// 16x16 products of keys with keys, for A, or of queries with keys, for P. Rows of A and of P are
// taken from opposite ends, so that each warp has STRIPS + 1 of them.
struct Block {
    bool overlap;
    int row;
    int column;

    __device__ __forceinline__ Block(int warp, int index) {
        const int overlaps = STRIPS - warp;
        overlap = index < overlaps;
        row = 16 * (overlap ? overlaps - 1 : warp);
        column = 16 * (overlap ? index : index - overlaps);
    }

    // Products become entries of A or P.
    __device__ __forceinline__ void weigh(
            Accumulator<2>& pairs, const Tokens& tokens, float scale) const {
        const int rows[2] = {row + pairs.row(0), row + pairs.row(2)};
        float factors[2];
        float sums[2];
        float rests[2];
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            factors[r] = overlap ? tokens.strengths[rows[r]] : scale;
            sums[r] = tokens.sums[rows[r]];
            rests[r] = tokens.rests[rows[r]];
        }
#pragma unroll
        for (int n = 0; n < 2; ++n) {
            const int j = column + pairs.column(n, 0);
            const float2 sum = loadPair(tokens.sums + j);
            const float2 rest = loadPair(tokens.rests + j);
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                const int i = rows[e / 2];
                bool sees = j + e % 2 + overlap <= i;
#if POSITIONS
                sees = sees && tokens.documents[i] == tokens.documents[j + e % 2];
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
};

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

// Writes a [C, C] of sums out, but for what is above its diagonal blocks.
__device__ __forceinline__ void writeSquare(const Tile<float, C>& from, TYPE* to) {
#pragma unroll
    for (int i = 0; i < C * C / 4; i += THREADS) {
        const int row = (i + threadIdx.x) / (C / 4);
        const int column = (i + threadIdx.x) % (C / 4) * 4;
        if (column / 16 <= row / 16) {
            storeFour(to + row * C + column,
                      *reinterpret_cast<const float4*>(from.row(row) + column));
        }
    }
}

__host__ __device__ constexpr int chunkBytes() {
    constexpr int inputs = 2 * Tile<TYPE, KEYS>::bytes(C);
    constexpr int squares = 2 * Tile<float, C>::bytes(C);
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
    const int head = chunk.head / (valueHeads / heads);  // of q and k
    const long long first = chunk.index * C;

    LaneTokens lane;
    if (warp == 0) {
        lane.read(beta, decay, positions, chunk, length, valueHeads);
    }
    Tokens& tokens = *reinterpret_cast<Tokens*>(sharedMemory());
    char* shared = sharedMemory() + sizeof(Tokens);
    const Tile<TYPE, KEYS> keys{reinterpret_cast<TYPE*>(shared)};
    const Tile<TYPE, KEYS> queries{reinterpret_cast<TYPE*>(shared + keys.bytes(C))};
    keys.template fetch<C, THREADS, ALIGNED>(
            k + chunk.row * keyRow + first * keyToken + head * keyHead,
            keyToken,
            chunk.tokens,
            keyDim,
            threadIdx.x);
    queries.template fetch<C, THREADS, ALIGNED>(
            q + chunk.row * queryRow + first * queryToken + head * queryHead,
            queryToken,
            chunk.tokens,
            keyDim,
            threadIdx.x);
    cp_async_commit();
    if (warp == 0) {
        lane.sumInto(tokens);
    }
    cp_async_wait<0>();
    __syncthreads();
    writeFactors(tokens, factors, chunk);

    Accumulator<2> products[STRIPS + 1];
#pragma unroll
    for (int n = 0; n <= STRIPS; ++n) {
        products[n].clear();
    }
#pragma unroll 2
    for (int d = 0; d < KEYS; d += 16) {
#pragma unroll
        for (int n = 0; n <= STRIPS; ++n) {
            const Block block(warp, n);
            multiply(
                    products[n].at[0],
                    products[n].at[1],
                    (block.overlap ? keys : queries).operand(block.row, d),
                    keys.right(block.column, d));
        }
    }
    __syncthreads();

    const Tile<float, C> square{reinterpret_cast<float*>(shared)};
    const Tile<float, C> lower{reinterpret_cast<float*>(shared + square.bytes(C))};
#pragma unroll
    for (int n = 0; n <= STRIPS; ++n) {
        const Block block(warp, n);
        block.weigh(products[n], tokens, scale);
        store(products[n],
              (block.overlap ? square : lower).at,
              square.STRIDE,
              block.row,
              block.column);
    }
    __syncthreads();
    writeSquare(lower, scores + chunk.place * C * C);
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
