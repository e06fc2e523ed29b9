// y = W x + b for few rows x: [rows, in] times bfloat16 weights W [out, in], at the speed at which W
// is read.
//
// Tensor cores, since at 16 rows the products would outlast the reading. A block has TILES * 16
// outputs of a matrix, and its warps share the inputs: each takes every WARPS-th piece of 32. A
// product's inner index may be permuted if both sides agree, so that a lane's 16 bytes of a row, as
// they lie in memory, are its share of two products. The warps' sums are added in their order.
//
// Shared memory is the room for loads under way, AHEAD pieces of every warp: a lane copies and reads
// its own bytes alone, so nobody waits for anybody. Weights are on their way before the kernel that
// makes x has ended.
//
// Constants: those of few_rows.cuh, ROWS (the most rows: 8 or 16), WARPS (of a block), AHEAD, TILES.
// in is a multiple of 8.

constexpr int TILE = 16;
constexpr int OUTPUTS = TILES * TILE;  // of a block, of each of its matrices
constexpr int PIECE = 32;  // inputs of two products
constexpr int OF_LANE = 8;  // inputs of a piece
constexpr int ROW_TILES = ROWS / 8;
constexpr int X_COPIES = sizeof(X_TYPE) / sizeof(bfloat16);

// What a lane has under way of a piece: 16 bytes at a time, which the warp's lanes have side by side.
struct Stage {
    uint4 weights[PARTS][TILES][2][LANES];
    uint4 inputs[ROW_TILES][X_COPIES][LANES];
};

struct Sums {
    float of[WARPS][PARTS][OUTPUTS][ROWS + 1];
};

// Eight inputs as bfloat16.
__device__ __forceinline__ uint4 inputsOf(const uint4 (&copies)[X_COPIES][LANES], int lane) {
    const uint4 first = copies[0][lane];
    if (X_COPIES == 1) {
        return first;
    }
    const uint4 second = copies[X_COPIES - 1][lane];
    return make_uint4(
            pack_bf16(__uint_as_float(first.x), __uint_as_float(first.y)),
            pack_bf16(__uint_as_float(first.z), __uint_as_float(first.w)),
            pack_bf16(__uint_as_float(second.x), __uint_as_float(second.y)),
            pack_bf16(__uint_as_float(second.z), __uint_as_float(second.w)));
}

// Where a lane's weights and inputs begin.
struct Sources {
    const bfloat16* weights[PARTS][TILES][2];
    const X_TYPE* inputs[ROW_TILES];
    bool rows[ROW_TILES];  // whether there are such

    __device__ __forceinline__ void copyWeights(Stage& stage, int lane, int at, int in) const {
        const bool valid = at < in;
#pragma unroll
        for (int p = 0; p < PARTS; ++p) {
#pragma unroll
            for (int t = 0; t < TILES; ++t) {
#pragma unroll
                for (int half = 0; half < 2; ++half) {
                    const bfloat16* from = weights[p][t][half];
                    cp_async16(
                            &stage.weights[p][t][half][lane], valid ? from + at : from, valid);
                }
            }
        }
    }

    __device__ __forceinline__ void copyInputs(Stage& stage, int lane, int at, int in) const {
#pragma unroll
        for (int r = 0; r < ROW_TILES; ++r) {
            const bool valid = rows[r] && at < in;
#pragma unroll
            for (int c = 0; c < X_COPIES; ++c) {
                const X_TYPE* from = inputs[r] + (valid ? at + c * (OF_LANE / X_COPIES) : 0);
                cp_async16(&stage.inputs[r][c][lane], from, valid);
            }
        }
    }
};

__device__ __forceinline__ void multiply(
        float (&total)[PARTS][TILES][ROW_TILES][4], const Stage& stage, int lane) {
    uint4 v[ROW_TILES];
#pragma unroll
    for (int r = 0; r < ROW_TILES; ++r) {
        v[r] = inputsOf(stage.inputs[r], lane);
    }
#pragma unroll
    for (int p = 0; p < PARTS; ++p) {
#pragma unroll
        for (int t = 0; t < TILES; ++t) {
            const uint4 low = stage.weights[p][t][0][lane];
            const uint4 high = stage.weights[p][t][1][lane];
            const unsigned int a0[4] = {low.x, high.x, low.y, high.y};
            const unsigned int a1[4] = {low.z, high.z, low.w, high.w};
#pragma unroll
            for (int r = 0; r < ROW_TILES; ++r) {
                const unsigned int b0[2] = {v[r].x, v[r].y};
                const unsigned int b1[2] = {v[r].z, v[r].w};
                mma_bf16(total[p][t][r], a0, b0);
                mma_bf16(total[p][t][r], a1, b1);
            }
        }
    }
}

// Grid: enough blocks for all outputs of all matrices. Block: LANES, WARPS. Shared: the greater of
// WARPS * AHEAD stages and the sums.
extern "C" __global__ void __launch_bounds__(LANES * WARPS) few_rows(
        const X_TYPE* x, int rows, int in, const Matrices matrices) {
    letNextBegin();
    const int lane = threadIdx.x;
    const int warp = threadIdx.y;
    const int group = lane / 4;
    const Task task = taskOf(matrices, OUTPUTS);
    const int out = (int)task.matrix.out;
    Sources sources;
#pragma unroll
    for (int p = 0; p < PARTS; ++p) {
        const void* weight = p == 0 ? task.matrix.weight : matrices.of[MATRICES - 1].weight;
#pragma unroll
        for (int t = 0; t < TILES * 2; ++t) {
            const int output = min(task.first + t * 8 + group, out - 1);
            sources.weights[p][t / 2][t % 2] = (const bfloat16*)weight + (long long)output * in;
        }
    }
#pragma unroll
    for (int r = 0; r < ROW_TILES; ++r) {
        const int row = r * 8 + group;
        sources.rows[r] = row < rows;
        sources.inputs[r] = x + (long long)min(row, rows - 1) * in;
    }

    Stage* stages = reinterpret_cast<Stage*>(sharedMemory()) + warp * AHEAD;
    const int first = warp * PIECE + lane % 4 * OF_LANE;
    const int step = WARPS * PIECE;
#pragma unroll
    for (int a = 0; a < AHEAD; ++a) {
        sources.copyWeights(stages[a], lane, first + a * step, in);
    }
    awaitPrevious();
#pragma unroll
    for (int a = 0; a < AHEAD; ++a) {
        sources.copyInputs(stages[a], lane, first + a * step, in);
        cp_async_commit();
    }
    float total[PARTS][TILES][ROW_TILES][4] = {};
    int slot = 0;
    for (int at = first; at - lane % 4 * OF_LANE < in; at += step) {
        cp_async_wait<AHEAD - 1>();
        Stage& stage = stages[slot];
        multiply(total, stage, lane);
        sources.copyWeights(stage, lane, at + AHEAD * step, in);
        sources.copyInputs(stage, lane, at + AHEAD * step, in);
        cp_async_commit();
        slot = slot + 1 == AHEAD ? 0 : slot + 1;
    }
    cp_async_wait<0>();
    __syncthreads();  // loads make room for sums

    Sums& sums = *reinterpret_cast<Sums*>(sharedMemory());
#pragma unroll
    for (int p = 0; p < PARTS; ++p) {
#pragma unroll
        for (int t = 0; t < TILES; ++t) {
#pragma unroll
            for (int r = 0; r < ROW_TILES; ++r) {
#pragma unroll
                for (int j = 0; j < 4; ++j) {
                    const int output = t * TILE + group + j / 2 * 8;
                    sums.of[warp][p][output][r * 8 + lane % 4 * 2 + j % 2] = total[p][t][r][j];
                }
            }
        }
    }
    __syncthreads();
    for (int i = warp * LANES + lane; i < OUTPUTS * rows; i += WARPS * LANES) {
        const int output = i % OUTPUTS;
        const int row = i / OUTPUTS;
        if (task.first + output >= out) {
            continue;
        }
        float sum[PARTS] = {};
#pragma unroll
        for (int other = 0; other < WARPS; ++other) {
#pragma unroll
            for (int p = 0; p < PARTS; ++p) {
                sum[p] += sums.of[other][p][output][row];
            }
        }
        if (GATED) {
            putGated(matrices, row, task.first + output, sum[0], sum[PARTS - 1]);
        } else {
            put(task.matrix, row, task.first + output, sum[0]);
        }
    }
}
