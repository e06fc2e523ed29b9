// One token of the RG-LRU (arXiv 2402.19427, section 2.4) for each row, its gates' products
// included, with its memory h [B, E] in place:
//
//   i = sigmoid(u W_i + b_i),  r = sigmoid(u W_r + b_r),  a = exp(-8 softplus(lambda) r)
//   h <- a h + sqrt(1 - a^2) i u, at a document's first token i u;  y = gelu(g) h or h
//
// by the arithmetic of gated_recurrence.cu. W are block-diagonal, [blocks, SIZE, SIZE], the outputs
// contiguous. It takes as long as reading them: a thread block has 64 bytes of each row of both
// gates' weights in one diagonal block, and its warps share the rows, 16 at a time. All loads of a
// warp, 16 bytes a lane each, are on their way before one is waited for. The warps' sums, fp32, are
// added in the order of the warps; they are not rounded before the sigmoid.
//
// Lane 4 c + q has columns c, the lower four of the input gate, the upper of the recurrent gate, of
// rows 4 q to 4 q + 3.
//
// bfloat16 weights: tensor cores, u being rounded to bfloat16. Two halves of two rows make the
// pairs along the inputs that a product wants, whose inner index may be permuted if both sides
// agree. float32 weights: fp32 arithmetic.
//
// Constants: U_TYPE, P_TYPE (of biases and lambda), Y_TYPE (of g and y; without g that of u), each
// float or bfloat16; WIDE (1 for float32 weights), SIZE (a multiple of 8, with WIDE of 4; weights
// and u are aligned to 16 bytes), GATED (whether there is g), ROWS (of u in a thread block: 8 or 16,
// with WIDE 1 to 8), WARPS (with ROWS * OUTPUTS threads or more), AHEAD (pieces of 16 rows of
// weights that a warp has under way).

constexpr int LANES = 32;
constexpr int OF_LANE = WIDE ? 4 : 8;  // outputs in 16 bytes
constexpr int OUTPUTS = 4 * OF_LANE;  // of a block
constexpr int SLICES = (SIZE + OUTPUTS - 1) / OUTPUTS;  // of a diagonal block
constexpr int OWN = 4;  // rows of weights of a lane's piece
constexpr int PIECE = 4 * OWN;

// u in the type of the products, OWN inputs.
#if WIDE

typedef float Weight;
typedef Pack<float, OWN> Inputs;

__device__ __forceinline__ Inputs inputs(const U_TYPE* u) {
    const Pack<U_TYPE, OWN> pack = read<OWN>(u);
    return {{pack.get(0), pack.get(1), pack.get(2), pack.get(3)}};
}

// Where sums of a row lie in shared memory: as a warp's lanes come to have them.
constexpr int ROW_SPAN = LANES;

__device__ __forceinline__ int place(int gate, int output) { return gate * OUTPUTS + output; }

#else

typedef bfloat16 Weight;
typedef Pack<bfloat16, OWN> Inputs;

__device__ __forceinline__ Inputs inputs(const bfloat16* u) { return read<OWN>(u); }

__device__ __forceinline__ Inputs inputs(const float* u) {
    const Pack<float, OWN> pack = read<OWN>(u);
    return Inputs::of(pack.values);
}

// Where sums of a row lie in shared memory: in fours, as a lane has them, and with the gates and
// the rows so far apart that lanes meet in a bank neither writing nor reading.
constexpr int GATE_SPAN = 40;
constexpr int ROW_SPAN = 80;

__device__ __forceinline__ int place(int gate, int output) {
    return gate * GATE_SPAN + output / 4 % 4 * 8 + output / 16 * 4 + output % 4;
}

#endif

typedef Pack<Weight, OF_LANE> Outputs;

// What a warp reads of u and of the weights.
struct Piece {
    Outputs weights[OWN];

    // `from` is the lane's part of the first row.
    __device__ __forceinline__ void fetch(const Weight* from, int stride, bool known) {
#pragma unroll
        for (int i = 0; i < OWN; ++i) {
            weights[i] = {};
            if (known) {
                weights[i] = read<OF_LANE>(from + (long long)i * stride);
            }
        }
    }
};

#if WIDE

struct Sums {
    float total[ROWS][OF_LANE];

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int row = 0; row < ROWS; ++row) {
#pragma unroll
            for (int j = 0; j < OF_LANE; ++j) {
                total[row][j] = 0;
            }
        }
    }

    __device__ __forceinline__ static int rowOf(int i) { return i; }

    static constexpr int READ = ROWS;  // rows of u that a lane reads

    __device__ __forceinline__ void add(const Piece& piece, const Inputs (&u)[READ]) {
#pragma unroll
        for (int row = 0; row < ROWS; ++row) {
#pragma unroll
            for (int i = 0; i < OWN; ++i) {
#pragma unroll
                for (int j = 0; j < OF_LANE; ++j) {
                    total[row][j] =
                            fmaf(u[row].get(i), piece.weights[i].get(j), total[row][j]);
                }
            }
        }
    }

    // Each of the four lanes of the same columns ends up with one.
    __device__ __forceinline__ void put(float* sums, int) const {
        const int q = threadIdx.x % 4;
#pragma unroll
        for (int row = 0; row < ROWS; ++row) {
            float half[2];
#pragma unroll
            for (int j = 0; j < 2; ++j) {
                const float kept = q & 2 ? total[row][j + 2] : total[row][j];
                const float given = q & 2 ? total[row][j] : total[row][j + 2];
                half[j] = kept + __shfl_xor_sync(0xffffffffu, given, 2);
            }
            const float kept = q & 1 ? half[1] : half[0];
            const float given = q & 1 ? half[0] : half[1];
            sums[row * ROW_SPAN + threadIdx.x] = kept + __shfl_xor_sync(0xffffffffu, given, 1);
        }
    }
};

#else

struct Sums {
    // Of product j: d[0] and d[1] are row lane / 4 and output j of columns 2 q and 2 q + 1, d[2]
    // and d[3] those of the row eight below.
    float total[OF_LANE][4];

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int j = 0; j < OF_LANE; ++j) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                total[j][i] = 0;
            }
        }
    }

    static constexpr int READ = ROWS / 8;

    __device__ __forceinline__ static int rowOf(int i) { return threadIdx.x / 4 + i * 8; }

    // The same half of two words.
    __device__ __forceinline__ static unsigned int pair(
            const Outputs& low, const Outputs& high, int j) {
        const unsigned int first = low.pairs[j / 2];
        const unsigned int second = high.pairs[j / 2];
        return j % 2 == 0 ? (first & 0xffffu) | second << 16
                          : first >> 16 | (second & 0xffff0000u);
    }

    __device__ __forceinline__ void add(const Piece& piece, const Inputs (&u)[READ]) {
        unsigned int a[4] = {u[0].pairs[0], 0, u[0].pairs[1], 0};
        if (READ == 2) {
            a[1] = u[READ - 1].pairs[0];
            a[3] = u[READ - 1].pairs[1];
        }
#pragma unroll
        for (int j = 0; j < OF_LANE; ++j) {
            const unsigned int b[2] = {
                    pair(piece.weights[0], piece.weights[1], j),
                    pair(piece.weights[2], piece.weights[3], j)};
            mma_bf16(total[j], a, b);
        }
    }

    __device__ __forceinline__ void put(float* sums, int rows) const {
        const int q = threadIdx.x % 4;
#pragma unroll
        for (int i = 0; i < READ; ++i) {
            if (rowOf(i) < rows) {
                float* to = sums + rowOf(i) * ROW_SPAN;
#pragma unroll
                for (int column = 0; column < 2; ++column) {
#pragma unroll
                    for (int j = 0; j < OF_LANE; j += 4) {
                        const int d = 2 * i + column;
                        const float four[4] = {
                                total[j][d], total[j + 1][d], total[j + 2][d], total[j + 3][d]};
                        const int output = (q % 2 * 2 + column) * OF_LANE + j;
                        write<4>(to + place(q / 2, output), four);
                    }
                }
            }
        }
    }
};

#endif

// 2 sqrt(2 / pi) and 0.044715 times as much, of x sigmoid(x (SLOPE + CUBIC x^2)).
constexpr float SLOPE = 1.5957691216057308f;
constexpr float CUBIC = 0.0713548162726009f;

__device__ __forceinline__ float gelu(float x) {
    return x * sigmoidOfPower(-LOG2_E * x * (SLOPE + CUBIC * x * x));
}

// u [B, E], weights [blocks, SIZE, SIZE], biases and lambdas [E], g [B, E] with a stride from row to
// row, positions [B] or null where all rows continue, memory [B, E], y [B, E]. Padding leaves the
// memory as it is; its y is not specified. Grid: blocks * SLICES, slices first; enough for B rows.
// Block: LANES, WARPS. Dynamic shared memory: floats [WARPS, ROWS, ROW_SPAN].
extern "C" __global__ void __launch_bounds__(LANES * WARPS) gated_recurrence_step(
        const U_TYPE* u,
        const Weight* __restrict__ inputWeights,
        const Weight* __restrict__ recurrentWeights,
        const P_TYPE* __restrict__ inputBiases,
        const P_TYPE* __restrict__ recurrentBiases,
        const P_TYPE* __restrict__ lambdas,
        const Y_TYPE* gates,
        const long long* positions,
        float* memory,
        Y_TYPE* y,
        long long gateStride,
        int batch,
        int width) {
    letNextBegin();
    float* sums = (float*)sharedMemory();
    const int block = blockIdx.x / SLICES;
    const int first = blockIdx.x % SLICES * OUTPUTS;
    const int firstRow = blockIdx.y * ROWS;
    const int rows = min(ROWS, batch - firstRow);

    // What the thread finishes: an output of a row. It is read, if in vain, without a branch that
    // the loads of weights would wait behind.
    const int thread = threadIdx.y * LANES + threadIdx.x;
    const int own = thread / OUTPUTS;
    const int output = thread % OUTPUTS;
    const bool inside = own < rows && first + output < SIZE;
    const long long row = firstRow + min(own, rows - 1);
    const int channel = block * SIZE + min(first + output, SIZE - 1);
    awaitPrevious();
    const float inputBias = widen(inputBiases[channel]);
    const float recurrentBias = widen(recurrentBiases[channel]);
    const float lambda = widen(lambdas[channel]);
    const float value = widen(u[row * width + channel]);
    const float before = memory[row * width + channel];
    const long long position = positions == nullptr ? 1 : positions[row];
#if GATED
    const float gate = widen(gates[row * gateStride + channel]);
#endif

    const int q = threadIdx.x % 4;
    const int column = threadIdx.x / 4;
    const int from = first + column % 4 * OF_LANE;
    const long long corner = (long long)block * SIZE * SIZE;
    const Weight* weights = (column < 4 ? inputWeights : recurrentWeights) + corner + from;
    const U_TYPE* seen = u + (long long)firstRow * width + block * SIZE;
    Sums total;
    total.clear();
    for (int begin = threadIdx.y * PIECE; begin < SIZE; begin += AHEAD * WARPS * PIECE) {
        Piece pieces[AHEAD];
        Inputs values[AHEAD][Sums::READ];
#pragma unroll
        for (int a = 0; a < AHEAD; ++a) {
            const int at = begin + a * WARPS * PIECE + q * OWN;
            const bool known = at < SIZE && from < SIZE;
            pieces[a].fetch(weights + (long long)at * SIZE, SIZE, known);
        }
#pragma unroll
        for (int a = 0; a < AHEAD; ++a) {
            const int at = begin + a * WARPS * PIECE + q * OWN;
#pragma unroll
            for (int i = 0; i < Sums::READ; ++i) {
                const int other = Sums::rowOf(i);
                values[a][i] = {};
                if (other < rows && at < SIZE) {
                    values[a][i] = inputs(seen + (long long)other * width + at);
                }
            }
        }
#pragma unroll
        for (int a = 0; a < AHEAD; ++a) {
            total.add(pieces[a], values[a]);
        }
    }
    total.put(sums + threadIdx.y * ROWS * ROW_SPAN, rows);
    const float rate = fullLogDecay(lambda);
    __syncthreads();
    if (!inside) {
        return;
    }
    float input = 0;
    float recurrent = 0;
#pragma unroll
    for (int warp = 0; warp < WARPS; ++warp) {
        const float* of = sums + (warp * ROWS + own) * ROW_SPAN;
        input += of[place(0, output)];
        recurrent += of[place(1, output)];
    }
    const float in = sigmoidOfPower(fmaf(-LOG2_E, input, -LOG2_E * inputBias));
    const float r = sigmoidOfPower(fmaf(-LOG2_E, recurrent, -LOG2_E * recurrentBias));
    const float decayLessOne = exponentialLessOne(rate * r);
    const float scale = squareRoot(complementOfSquare(decayLessOne));
    const float gated = in * value;
    float h = before;
    if (position == 0) {
        h = gated;
    } else if (position > 0) {
        h = fmaf(1 + decayLessOne, before, scale * gated);
    }
    memory[row * width + channel] = h;
#if GATED
    // h is rounded first, as where it is a tensor of its own.
    y[row * width + channel] = narrow<Y_TYPE>(gelu(gate) * widen(narrow<U_TYPE>(h)));
#else
    y[row * width + channel] = narrow<Y_TYPE>(h);
#endif
}
