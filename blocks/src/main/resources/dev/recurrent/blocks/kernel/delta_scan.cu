// The state of the gated delta rule passing through chunks, after delta_chunks.cu (arXiv
// 2412.06464, section 3.3). For a chunk that the state S [K, V] enters, with the factors e (from
// its start), r (to its end) and beta, the transform T and the scores P,
//
//   U  = T diag(beta) (V - diag(e) K S)        (U = V without beta)
//   O  = scale diag(e) Q S + P U
//   S' = e_last S + Kt diag(r) U
//
// A warp owns 16 columns of V and keeps their S transposed, as fp32 sums in its registers: sums of
// one product are operands of the next as they stand, so that nothing of the chain
// S -> U -> S' goes through shared memory. Other warps copy inputs some chunks ahead, and outputs a
// chunk later; only there do warps wait for each other.
//
// Constants: TYPE (of q, k, v, T, P, O: float or bfloat16), CHUNK (C), KEYS (K rounded up to a
// multiple of 16), WARPS (of a block that own columns of V), LOADERS (others that copy), STAGES
// (chunks whose inputs have room; all but one are copied ahead), BETA (1 if there is one), ALIGNED
// (1 if rows of q, k, v and o begin at multiples of 16 bytes and K and V are multiples of as many).
// Grid: batch * value heads * slices of V blocks of THREADS; scanBytes() of shared memory.

constexpr int C = CHUNK;
constexpr int STRIPS = C / 16;
constexpr int DEPTHS = KEYS / 16;
constexpr int COLUMNS = WARPS * 16;
constexpr int THREADS = 32 * (WARPS + LOADERS);
constexpr int COPIERS = 32 * LOADERS;
constexpr int AHEAD = STAGES - 1;  // chunks that copies are ahead of their use

// One chunk's inputs.
struct Stage {
    Tile<TYPE, KEYS> keys;
    Tile<TYPE, COLUMNS> values;
    Tile<TYPE, C> transform;
    Tile<TYPE, KEYS> queries;
    Tile<TYPE, C> scores;
    float* factors;

    __host__ __device__ static constexpr int bytes() {
        return Tile<TYPE, KEYS>::bytes(C) * 2 + Tile<TYPE, COLUMNS>::bytes(C)
                + Tile<TYPE, C>::bytes(C) * (1 + BETA) + 3 * C * (int)sizeof(float);
    }

    // The place of a chunk.
    __device__ explicit Stage(int chunk) {
        char* at = sharedMemory() + chunk % STAGES * bytes();
        factors = reinterpret_cast<float*>(at);
        at += 3 * C * sizeof(float);
        keys.at = reinterpret_cast<TYPE*>(at);
        at += keys.bytes(C);
        values.at = reinterpret_cast<TYPE*>(at);
        at += values.bytes(C);
        transform.at = reinterpret_cast<TYPE*>(at);
        at += transform.bytes(C) * BETA;
        queries.at = reinterpret_cast<TYPE*>(at);
        at += queries.bytes(C);
        scores.at = reinterpret_cast<TYPE*>(at);
    }
};

// Where the block's columns of O are left for those that copy: two of them, so that one is filled
// while the other is copied.
__device__ __forceinline__ Tile<TYPE, COLUMNS> outputs(int chunk) {
    constexpr int BYTES = Tile<TYPE, COLUMNS>::bytes(C);
    char* at = sharedMemory() + STAGES * Stage::bytes() + chunk % 2 * BYTES;
    return {reinterpret_cast<TYPE*>(at)};
}

__host__ __device__ constexpr int scanBytes() {
    return STAGES * Stage::bytes() + 2 * Tile<TYPE, COLUMNS>::bytes(C);
}

// Starts to fetch what is not above the diagonal blocks of a [C, C].
__device__ __forceinline__ void fetchLower(
        const Tile<TYPE, C>& to, const TYPE* from, int thread) {
    constexpr int VECTOR = Tile<TYPE, C>::VECTOR;
    constexpr int VECTORS = C / VECTOR;
#pragma unroll
    for (int i = 0; i < C * VECTORS; i += COPIERS) {
        const int row = (i + thread) / VECTORS;
        const int column = (i + thread) % VECTORS * VECTOR;
        if (row < C && column / 16 <= row / 16) {
            cp_async16(to.row(row) + column, from + row * C + column, true);
        }
    }
}

// Copies for a block: where its inputs begin, and its outputs.
struct Copies {
    const TYPE* q;
    const TYPE* k;
    const TYPE* v;
    const TYPE* transforms;
    const TYPE* scores;
    const float* factors;
    TYPE* o;
    long long queryToken;
    long long keyToken;
    long long valueToken;
    long long outputToken;
    int length;
    int chunks;
    int keyDim;
    int columns;  // of V that are the block's

    // Starts to copy a chunk's inputs.
    __device__ __forceinline__ void fetch(int chunk) const {
        if (chunk >= chunks) {
            return;
        }
        const int thread = threadIdx.x - 32 * WARPS;
        const Stage stage(chunk);
        const long long token = (long long)chunk * C;
        const int tokens = length - chunk * C;
        stage.keys.template fetch<C, COPIERS, ALIGNED>(
                k + token * keyToken, keyToken, tokens, keyDim, thread);
        stage.values.template fetch<C, COPIERS, ALIGNED>(
                v + token * valueToken, valueToken, tokens, columns, thread);
        for (int i = thread * 4; i < 3 * C; i += COPIERS * 4) {
            cp_async16(stage.factors + i, factors + token * 3 + i, true);
        }
#if BETA
        fetchLower(stage.transform, transforms + token * C, thread);
#endif
        stage.queries.template fetch<C, COPIERS, ALIGNED>(
                q + token * queryToken, queryToken, tokens, keyDim, thread);
        fetchLower(stage.scores, scores + token * C, thread);
    }

    // Copies a chunk's outputs.
    __device__ __forceinline__ void store(int chunk) const {
        if (chunk < 0) {
            return;
        }
        outputs(chunk).template store<C, COPIERS, ALIGNED>(
                o + (long long)chunk * C * outputToken,
                outputToken,
                length - chunk * C,
                columns,
                threadIdx.x - 32 * WARPS);
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

// A warp's 16 columns of O, transposed: [V, C] in parts of 16 tokens.
struct Output {
    Accumulator<2> sums[STRIPS];

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int i = 0; i < STRIPS; ++i) {
            sums[i].clear();
        }
    }

    // Adds Q S for 16 of K.
    __device__ __forceinline__ void read(
            const Stage& stage, const Operand<TYPE>& entering, int depth) {
#pragma unroll
        for (int i = 0; i < STRIPS; ++i) {
            multiply(
                    sums[i].at[0], sums[i].at[1], entering, stage.queries.right(16 * i, depth));
        }
    }

    // Weighs that and adds P U.
    __device__ __forceinline__ void add(
            const Stage& stage, const Operand<TYPE> (&writes)[STRIPS], float scale) {
        const float* fromStart = stage.factors;
#pragma unroll
        for (int i = 0; i < STRIPS; ++i) {
#pragma unroll
            for (int n = 0; n < 2; ++n) {
                const float2 kept = loadPair(fromStart + 16 * i + sums[i].column(n, 0));
#pragma unroll
                for (int e = 0; e < 4; ++e) {
                    sums[i].at[n][e] *= scale * (e % 2 ? kept.y : kept.x);
                }
            }
#pragma unroll
            for (int j = 0; j <= i; ++j) {
                multiply(
                        sums[i].at[0],
                        sums[i].at[1],
                        writes[j],
                        stage.scores.right(16 * i, 16 * j));
            }
        }
    }

    __device__ __forceinline__ void leave(const Tile<TYPE, COLUMNS>& place, int own) const {
#pragma unroll
        for (int i = 0; i < STRIPS; ++i) {
            storeTransposed(sums[i], place.at, place.STRIDE, own, 16 * i);
        }
    }
};

// What a warp writes to its columns of S, [V, C] in parts of 16 tokens.
struct Update {
    Accumulator<2> held[STRIPS];  // K S
    Operand<TYPE> writes[STRIPS];  // U
    Operand<TYPE> reaching[STRIPS];  // what is left of it at the chunk's end

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int i = 0; i < STRIPS; ++i) {
            held[i].clear();
        }
    }

    __device__ __forceinline__ void read(
            const Stage& stage, const Operand<TYPE>& entering, int depth) {
#if BETA
#pragma unroll
        for (int i = 0; i < STRIPS; ++i) {
            multiply(
                    held[i].at[0], held[i].at[1], entering, stage.keys.right(16 * i, depth));
        }
#endif
    }

    __device__ __forceinline__ void correct(const Stage& stage, int own) {
        const float* fromStart = stage.factors;
        const float* toEnd = stage.factors + C;
        const float* strengths = stage.factors + 2 * C;
        Operand<TYPE> wanted[STRIPS];
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
#pragma unroll
                for (int e = 0; e < 4; ++e) {
                    value.at[n][e] = (e % 2 ? beta.y : beta.x)
                            * (value.at[n][e] - (e % 2 ? kept.y : kept.x) * held[i].at[n][e]);
                }
            }
            wanted[i].take(value.at[0], value.at[1]);
#endif
        }
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
#else
            wanted[i].give(value.at[0], value.at[1]);
#endif
            writes[i].take(value.at[0], value.at[1]);
#pragma unroll
            for (int n = 0; n < 2; ++n) {
                const float2 left = loadPair(toEnd + 16 * i + value.column(n, 0));
#pragma unroll
                for (int e = 0; e < 4; ++e) {
                    value.at[n][e] *= e % 2 ? left.y : left.x;
                }
            }
            reaching[i].take(value.at[0], value.at[1]);
        }
    }

    __device__ __forceinline__ void write(const Stage& stage, State& state) const {
        state.scale(stage.factors[C - 1]);
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
    }
};

extern "C" __global__ void __launch_bounds__(THREADS, 1) delta_scan(
        const TYPE* __restrict__ q,
        const TYPE* __restrict__ k,
        const TYPE* __restrict__ v,
        const TYPE* __restrict__ transforms,
        const TYPE* __restrict__ scores,
        const float* __restrict__ factors,
        const float* __restrict__ initial,
        TYPE* __restrict__ o,
        float* __restrict__ last,
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
    const int first = blockIdx.x % slices * COLUMNS;  // the block's first column
    const int head = blockIdx.x / slices % valueHeads;
    const int row = blockIdx.x / slices / valueHeads;
    const int keyIndex = head / (valueHeads / heads);  // the head of q and k
    const int chunks = (length + C - 1) / C;
    const long long sequence = (long long)row * valueHeads + head;
    const int warp = threadIdx.x / 32;
    const bool owns = warp < WARPS;
    const int own = warp * 16;  // the warp's first column in the block's

    Copies copies;
    copies.q = q + row * queryRow + keyIndex * queryHead;
    copies.k = k + row * keyRow + keyIndex * keyHead;
    copies.v = v + row * valueRow + head * valueHead + first;
    copies.transforms = transforms + sequence * chunks * C * C;
    copies.scores = scores + sequence * chunks * C * C;
    copies.factors = factors + sequence * chunks * 3 * C;
    copies.queryToken = queryToken;
    copies.keyToken = keyToken;
    copies.valueToken = valueToken;
    copies.length = length;
    copies.chunks = chunks;
    copies.keyDim = keyDim;
    copies.columns = valueDim - first;

    copies.outputToken = (long long)valueHeads * valueDim;
    copies.o = o + (row * (long long)length * valueHeads + head) * valueDim + first;

    State state;
    if (owns) {
        state.read(
                initial == nullptr ? nullptr : initial + sequence * keyDim * valueDim,
                first + own,
                keyDim,
                valueDim);
    } else {
#pragma unroll
        for (int n = 0; n < AHEAD; ++n) {
            copies.fetch(n);
            cp_async_commit();
        }
    }
    for (int chunk = 0; chunk < chunks; ++chunk) {
#if STAGES == 1
        __syncthreads();
        if (!owns) {
            copies.fetch(chunk);
            cp_async_commit();
            copies.store(chunk - 1);
        }
        cp_async_wait<0>();
        __syncthreads();
#else
        cp_async_wait<AHEAD - 1>();
        __syncthreads();
        if (!owns) {
            copies.fetch(chunk + AHEAD);
            cp_async_commit();
            copies.store(chunk - 1);
        }
#endif
        if (owns) {
            const Stage stage(chunk);
            Update update;
            Output output;
            update.clear();
            output.clear();
#pragma unroll
            for (int d = 0; d < DEPTHS; ++d) {
                Operand<TYPE> entering;
                entering.take(state.sums.at[2 * d], state.sums.at[2 * d + 1]);
                update.read(stage, entering, 16 * d);
                output.read(stage, entering, 16 * d);
            }
            update.correct(stage, own);
            update.write(stage, state);
            output.add(stage, update.writes, scale);
            output.leave(outputs(chunk), own);
        }
    }
    __syncthreads();
    if (!owns) {
        copies.store(chunks - 1);
    } else if (last != nullptr) {
        state.write(last + sequence * keyDim * valueDim, first + own, keyDim, valueDim);
    }
}
