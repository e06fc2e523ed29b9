// The state of the gated delta rule passing through chunks, after delta_chunks.cu (arXiv 2412.06464,
// section 3.3). For a chunk that the state S [K, V] enters, with the factors e (from its start),
// r (to its end) and beta, the transform T and the scores P,
//
//   U  = T diag(beta) (V - diag(e) K S)        (U = V without beta)
//   O  = scale diag(e) Q S + P U
//   S' = e_last S + Kt diag(r) U
//
// A warp owns 16 columns of V and keeps their S transposed, as fp32 sums in its registers: sums of
// one product are operands of the next as they stand, so that nothing of the chain
// S -> U -> S' goes through shared memory and warps wait for each other only where inputs come and
// go. Those are copied STAGES - 1 chunks ahead. Outputs leave through the place of V.
//
// Constants: TYPE (of q, k, v, T, P, O: float or bfloat16), CHUNK (C), KEYS (K rounded up to a
// multiple of 16), WARPS (of a block, for 16 WARPS columns of V), STAGES, BETA (1 if there is one),
// OUTPUT (1 if O is wanted), STORE_STATES (1 if S as it enters chunks is, transposed: [B, HV,
// chunks, V, K]), STORE_VALUES (1 if U is, as V lies), ALIGNED (1 if rows of q, k, v and o begin at
// multiples of 16 bytes and K and V are multiples of as many).
// Grid: batch * value heads * slices of V blocks of 32 WARPS threads; scanBytes() of shared memory.

constexpr int C = CHUNK;
constexpr int STRIPS = C / 16;
constexpr int DEPTHS = KEYS / 16;
constexpr int THREADS = WARPS * 32;
constexpr int COLUMNS = WARPS * 16;

// One chunk's inputs.
struct Stage {
    Tile<TYPE, KEYS> keys;
    Tile<TYPE, COLUMNS> values;
    Tile<TYPE, C> transform;
    Tile<TYPE, KEYS> queries;
    Tile<TYPE, C> scores;
    float* factors;

    __host__ __device__ static constexpr int bytes() {
        return Tile<TYPE, KEYS>::bytes(C) * (1 + OUTPUT) + Tile<TYPE, COLUMNS>::bytes(C)
                + Tile<TYPE, C>::bytes(C) * (BETA + OUTPUT) + 3 * C * (int)sizeof(float);
    }

    __device__ explicit Stage(char* at) {
        factors = reinterpret_cast<float*>(at);
        at += 3 * C * sizeof(float);
        keys.at = reinterpret_cast<TYPE*>(at);
        at += keys.bytes(C);
        values.at = reinterpret_cast<TYPE*>(at);
        at += values.bytes(C);
        transform.at = reinterpret_cast<TYPE*>(at);
        at += transform.bytes(C) * BETA;
        queries.at = reinterpret_cast<TYPE*>(at);
        at += queries.bytes(C) * OUTPUT;
        scores.at = reinterpret_cast<TYPE*>(at);
    }
};

__host__ __device__ constexpr int scanBytes() { return STAGES * Stage::bytes(); }

// Starts to fetch what is not above the diagonal blocks of a [C, C].
__device__ __forceinline__ void fetchLower(const Tile<TYPE, C>& to, const TYPE* from) {
    constexpr int VECTOR = Tile<TYPE, C>::VECTOR;
    constexpr int VECTORS = C / VECTOR;
#pragma unroll
    for (int i = 0; i < C * VECTORS; i += THREADS) {
        const int row = (i + threadIdx.x) / VECTORS;
        const int column = (i + threadIdx.x) % VECTORS * VECTOR;
        if (row < C && column / 16 <= row / 16) {
            cp_async16(to.row(row) + column, from + row * C + column, true);
        }
    }
}

// Where a block's inputs begin.
struct Source {
    const TYPE* q;
    const TYPE* k;
    const TYPE* v;
    const TYPE* transforms;
    const TYPE* scores;
    const float* factors;
    long long queryToken;
    long long keyToken;
    long long valueToken;
    int length;
    int keyDim;
    int columns;  // of V that are the block's

    __device__ __forceinline__ void fetch(const Stage& stage, int chunk) const {
        const long long token = (long long)chunk * C;
        const int tokens = length - chunk * C;
        const int thread = threadIdx.x;
        stage.keys.template fetch<C, THREADS, ALIGNED>(
                k + token * keyToken, keyToken, tokens, keyDim, thread);
        stage.values.template fetch<C, THREADS, ALIGNED>(
                v + token * valueToken, valueToken, tokens, columns, thread);
        for (int i = thread * 4; i < 3 * C; i += THREADS * 4) {
            cp_async16(stage.factors + i, factors + (long long)chunk * 3 * C + i, true);
        }
#if BETA
        fetchLower(stage.transform, transforms + token * C);
#endif
#if OUTPUT
        stage.queries.template fetch<C, THREADS, ALIGNED>(
                q + token * queryToken, queryToken, tokens, keyDim, thread);
        fetchLower(stage.scores, scores + token * C);
#endif
    }
};

// A warp's 16 columns of S, transposed: [V, K].
struct State {
    Accumulator<2 * DEPTHS> sums;

    __device__ __forceinline__ void read(
            const float* from, int column, int keyDim, int valueDim) {
#pragma unroll
        for (int n = 0; n < 2 * DEPTHS; ++n) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                const int i = sums.column(n, e);
                const int j = column + sums.row(e);
                sums.at[n][e] = from != nullptr && i < keyDim && j < valueDim
                        ? from[(long long)i * valueDim + j]
                        : 0;
            }
        }
    }

    __device__ __forceinline__ void write(
            float* to, int column, int keyDim, int valueDim) const {
#pragma unroll
        for (int n = 0; n < 2 * DEPTHS; ++n) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                const int i = sums.column(n, e);
                const int j = column + sums.row(e);
                if (i < keyDim && j < valueDim) {
                    to[(long long)i * valueDim + j] = sums.at[n][e];
                }
            }
        }
    }

    __device__ __forceinline__ void scale(float factor) {
#pragma unroll
        for (int n = 0; n < 2 * DEPTHS; ++n) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                sums.at[n][e] *= factor;
            }
        }
    }
};

extern "C" __global__ void __launch_bounds__(THREADS) delta_scan(
        const TYPE* __restrict__ q,
        const TYPE* __restrict__ k,
        const TYPE* __restrict__ v,
        const TYPE* __restrict__ transforms,
        const TYPE* __restrict__ scores,
        const float* __restrict__ factors,
        const float* __restrict__ initial,
        TYPE* __restrict__ o,
        float* __restrict__ last,
        TYPE* __restrict__ states,
        TYPE* __restrict__ written,
        long long queryRow,
        long long queryToken,
        long long queryHead,
        long long keyRow,
        long long keyToken,
        long long keyHead,
        long long valueRow,
        long long valueToken,
        long long valueHead,
        int length,
        int heads,
        int valueHeads,
        int keyDim,
        int valueDim,
        float scale) {
    const int slices = (valueDim + COLUMNS - 1) / COLUMNS;
    const int slice = blockIdx.x % slices;
    const int head = blockIdx.x / slices % valueHeads;
    const int row = blockIdx.x / slices / valueHeads;
    const int keyHeadIndex = head / (valueHeads / heads);
    const int chunks = (length + C - 1) / C;
    const long long sequence = (long long)row * valueHeads + head;
    const int first = slice * COLUMNS;  // the block's first column
    const int warp = threadIdx.x / 32;
    const int own = warp * 16;  // the warp's first column in the block's

    Source source;
    source.q = q + row * queryRow + keyHeadIndex * queryHead;
    source.k = k + row * keyRow + keyHeadIndex * keyHead;
    source.v = v + row * valueRow + head * valueHead + first;
    source.transforms = transforms + sequence * chunks * C * C;
    source.scores = scores + sequence * chunks * C * C;
    source.factors = factors + sequence * chunks * 3 * C;
    source.queryToken = queryToken;
    source.keyToken = keyToken;
    source.valueToken = valueToken;
    source.length = length;
    source.keyDim = keyDim;
    source.columns = valueDim - first;

    const long long outputToken = (long long)valueHeads * valueDim;
    const long long outputs = (row * (long long)length * valueHeads + head) * valueDim + first + own;
    const int columns = valueDim - first - own;  // that are left for the warp

    State state;
    state.read(
            initial == nullptr ? nullptr : initial + sequence * keyDim * valueDim,
            first + own,
            keyDim,
            valueDim);
#pragma unroll
    for (int n = 0; n < STAGES - 1; ++n) {
        if (n < chunks) {
            source.fetch(Stage(sharedMemory() + n * Stage::bytes()), n);
        }
        cp_async_commit();
    }

    for (int chunk = 0; chunk < chunks; ++chunk) {
        const Stage stage(sharedMemory() + chunk % STAGES * Stage::bytes());
#if STAGES > 1
        cp_async_wait<STAGES - 2>();
        __syncthreads();
        const int next = chunk + STAGES - 1;
        if (next < chunks) {
            source.fetch(Stage(sharedMemory() + next % STAGES * Stage::bytes()), next);
        }
        cp_async_commit();
#else
        __syncthreads();
        source.fetch(stage, chunk);
        cp_async_commit();
        cp_async_wait<0>();
        __syncthreads();
#endif
        const float* fromStart = stage.factors;
        const float* toEnd = stage.factors + C;
        const float* strengths = stage.factors + 2 * C;
        const int tokens = length - chunk * C;

#if STORE_STATES
        store(state.sums,
              states + (sequence * chunks + chunk) * valueDim * keyDim,
              keyDim,
              first + own,
              0,
              valueDim,
              keyDim);
#endif

        // Sums over K: of S with the keys, transposed, and of the queries with S.
        Accumulator<2 * STRIPS> update;
        Accumulator<2> output[STRIPS];
        update.clear();
#pragma unroll
        for (int i = 0; i < STRIPS; ++i) {
            output[i].clear();
        }
#pragma unroll
        for (int d = 0; d < DEPTHS; ++d) {
            Operand<TYPE> entering;
            RightOperand<TYPE> enteringRight;
            entering.take(state.sums.at[2 * d], state.sums.at[2 * d + 1]);
            enteringRight.take(state.sums.at[2 * d], state.sums.at[2 * d + 1]);
#pragma unroll
            for (int i = 0; i < STRIPS; ++i) {
#if BETA
                multiply(
                        update.at[2 * i],
                        update.at[2 * i + 1],
                        entering,
                        stage.keys.right(16 * i, 16 * d));
#endif
#if OUTPUT
                multiply(
                        output[i].at[0],
                        output[i].at[1],
                        stage.queries.operand(16 * i, 16 * d),
                        enteringRight);
#endif
            }
        }

        // What is to be written, [V, C], before and after the transform.
        Operand<TYPE> wanted[STRIPS];
        RightOperand<TYPE> writes[STRIPS];
        Operand<TYPE> reaching[STRIPS];
#pragma unroll
        for (int i = 0; i < STRIPS; ++i) {
            wanted[i] = stage.values.transposed(own, 16 * i);
#if BETA
            Accumulator<2> value;
            wanted[i].give(value.at[0], value.at[1]);
#pragma unroll
            for (int n = 0; n < 2; ++n) {
                const int c = 16 * i + value.column(n, 0);
                const float2 beta = loadPair(strengths + c);
                const float2 kept = loadPair(fromStart + c);
                float(&x)[4] = value.at[n];
                const float(&held)[4] = update.at[2 * i + n];
                x[0] = beta.x * (x[0] - kept.x * held[0]);
                x[1] = beta.y * (x[1] - kept.y * held[1]);
                x[2] = beta.x * (x[2] - kept.x * held[2]);
                x[3] = beta.y * (x[3] - kept.y * held[3]);
            }
            wanted[i].take(value.at[0], value.at[1]);
#endif
        }
        __syncwarp();  // the warp has read its values: their place is free
#pragma unroll
        for (int i = 0; i < STRIPS; ++i) {
            Accumulator<2> value;
#if BETA
            value.clear();
#pragma unroll
            for (int j = 0; j <= i; ++j) {
                multiply(
                        value.at[0],
                        value.at[1],
                        wanted[j],
                        stage.transform.right(16 * i, 16 * j));
            }
            writes[i].take(value.at[0], value.at[1]);
#else
            wanted[i].give(value.at[0], value.at[1]);
            writes[i].take(value.at[0], value.at[1]);
#endif
#if STORE_VALUES
#pragma unroll
            for (int n = 0; n < 2; ++n) {
#pragma unroll
                for (int e = 0; e < 4; ++e) {
                    stage.values.row(16 * i + value.column(n, e))[own + value.row(e)] =
                            narrow<TYPE>(value.at[n][e]);
                }
            }
#endif
#pragma unroll
            for (int n = 0; n < 2; ++n) {
                const float2 left = loadPair(toEnd + 16 * i + value.column(n, 0));
                value.at[n][0] *= left.x;
                value.at[n][1] *= left.y;
                value.at[n][2] *= left.x;
                value.at[n][3] *= left.y;
            }
            reaching[i].take(value.at[0], value.at[1]);
        }
#if STORE_VALUES
        __syncwarp();
        Tile<TYPE, COLUMNS>{stage.values.at + own}.template store<C, 32, ALIGNED, 16>(
                written + outputs + (long long)chunk * C * outputToken,
                outputToken,
                tokens,
                columns,
                laneIndex());
        __syncwarp();
#endif

        state.scale(fromStart[C - 1]);
#pragma unroll
        for (int d = 0; d < DEPTHS; ++d) {
#pragma unroll
            for (int j = 0; j < STRIPS; ++j) {
                multiply(
                        state.sums.at[2 * d],
                        state.sums.at[2 * d + 1],
                        reaching[j],
                        stage.keys.rightTransposed(16 * d, 16 * j));
            }
        }

#if OUTPUT
#pragma unroll
        for (int i = 0; i < STRIPS; ++i) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                const float factor = scale * fromStart[16 * i + output[i].row(e)];
                output[i].at[0][e] *= factor;
                output[i].at[1][e] *= factor;
            }
#pragma unroll
            for (int j = 0; j <= i; ++j) {
                multiply(
                        output[i].at[0],
                        output[i].at[1],
                        stage.scores.operand(16 * i, 16 * j),
                        writes[j]);
            }
            store(output[i], stage.values.at, stage.values.STRIDE, 16 * i, own);
        }
        __syncwarp();
        Tile<TYPE, COLUMNS>{stage.values.at + own}.template store<C, 32, ALIGNED, 16>(
                o + outputs + (long long)chunk * C * outputToken,
                outputToken,
                tokens,
                columns,
                laneIndex());
#endif
    }
    if (last != nullptr) {
        state.write(last + sequence * keyDim * valueDim, first + own, keyDim, valueDim);
    }
}
